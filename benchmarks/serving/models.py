"""The models that are served: bundles that are named, or networks that are drawn and trained for one epoch, once.

Speed depends on a network's form and precision, not on what it has learnt: the drawn ones are MobileNetV2 as the real
bundles are, float32 of full width at 224 pixels (``large``), and of width 0.35 at 128 pixels in int8 (``small``, about
what the smallest compressed model takes). ``other`` has the form of ``small`` and other weights, for swaps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import dermport as dp
from benchmarks.serving.photos import drawn_photos
from benchmarks.tables import say

FOLDER = Path("build/benchmarks/models")


@dataclass(frozen=True)
class BenchmarkModel:
    """A bundle with the ONNX export that every server serves.

    Attributes:
        name: What tables call it.
        bundle: The bundle's folder.
        precision: Of the export.
    """

    name: str
    bundle: Path
    precision: str


@dataclass(frozen=True)
class _Form:
    alpha: float
    size: int
    seed: int
    precision: str


_FORMS = {
    "large": _Form(1.0, 224, 0, "fp32"),
    "small": _Form(0.35, 128, 0, "int8-cpu"),
    "other": _Form(0.35, 128, 1, "int8-cpu"),
}
DRAWN = ("large", "small")


def drawn_model(name: str) -> BenchmarkModel:
    """Return ``large``, ``small`` or ``other``, made now unless it is there already."""
    form, folder = _FORMS[name], FOLDER / name
    if not folder.exists():
        say(f"drawing the model {name}, once")
        start = dp.TrainingRecipe(weights="none", epochs=0, fine_tune="all", fine_tune_epochs=1, fused_norm=True)
        recipe = replace(start, alpha=form.alpha, size=form.size, seed=form.seed)
        dp.train(drawn_photos(), folder, recipe=recipe)
    dp.export(folder, to="onnx", precision=form.precision)
    return BenchmarkModel(name, folder, form.precision)


def named_model(text: str) -> BenchmarkModel:
    """Return the model that ``FOLDER`` or ``FOLDER:PRECISION`` names (float32 where no precision is said)."""
    folder, _, precision = text.partition(":")
    return BenchmarkModel(Path(folder).name, Path(folder), precision or "fp32")
