"""What each method of int8 quantisation gains, against float32, on a bundle's own test photos.

    python -m benchmarks.quantisation_methods artifacts/ham7 --data ham10000 --photos 400 --qat 2

Each line is one more method on top of those above it; "min-max" alone is plain post-training quantisation to symmetric
codes. Ranges by percentile and by least squared error are tried on the plain network; mixed precision and
quantisation-aware training start from the line above them. Measured in Keras, with the rounding in the graph: the
integers that TFLite and TensorRT's Q/DQ get, but no device's own arithmetic. Agreement is of the top class, with
Wilson's 95 % interval; changes of accuracy are of the same photos, with paired 95 % intervals by lesion. A dangerous
flip is a photo whose decision float32 calls suspicious and int8 does not.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import say, show
from dermport.bundle.notice import NOTICE
from dermport.bundle.parity import compare
from dermport.bundle.store import Bundle
from dermport.cli import output
from dermport.compression.network import network_of
from dermport.compression.pipeline import split_of
from dermport.compression.quantisation.quantise import Quantise
from dermport.compression.quantisation.stages import QuantisationMethods, QuantisationStage, stages
from dermport.compression.step import StepContext
from dermport.statistics.bootstrap import paired_intervals
from dermport.statistics.temperature import at_temperature
from dermport.training.model.network import class_logits, predict
from dermport.training.parts import PartPhotos, SplitPhotos

if TYPE_CHECKING:
    import keras

COLUMNS = ("method", "agreement", "95 %", "accuracy", "balanced", "+ / - flips", "mean change", "kB", "s")


@dataclass(frozen=True)
class MethodFigures:
    """One method's figures; changes are (change, low, high) in shares."""

    method: str
    agreement: float
    agreement_low: float
    agreement_high: float
    accuracy: tuple[float, float, float]
    balanced_accuracy: tuple[float, float, float]
    flips_to_positive: int
    flips_to_negative: int
    mean_change: float
    weight_bytes: int
    seconds: float
    floats: tuple[str, ...]

    def row(self) -> tuple[str, ...]:
        """Return the line's cells."""
        change, balanced = (f"{100 * v[0]:+.1f} [{100 * v[1]:+.1f}, {100 * v[2]:+.1f}]" for v in self.changes)
        flips = f"{self.flips_to_positive} / {self.flips_to_negative}"
        interval = f"{self.agreement_low:.3f}-{self.agreement_high:.3f}"
        kilobytes = f"{self.weight_bytes / 1000:,.0f}"
        figures = (f"{self.agreement:.4f}", interval, change, balanced, flips, f"{self.mean_change:.4f}", kilobytes)
        return (self.method, *figures, f"{self.seconds:.0f}")

    @property
    def changes(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """Of accuracy and of balanced accuracy."""
        return self.accuracy, self.balanced_accuracy


@dataclass(frozen=True)
class TestedBundle:
    """The bundle, its network, and the test photos with what float32 says of them."""

    bundle: Bundle
    network: keras.Model
    context: StepContext
    tensors: NDArray[np.uint8]
    truth: NDArray[np.int64]
    lesions: tuple[str, ...]
    original: NDArray[np.float32]

    @classmethod
    def open(cls, bundle: Bundle, data: Path, photos: int | None, folder: Path) -> TestedBundle:
        split = split_of(bundle, data, jobs=None, progress=output)
        spec = bundle.manifest.preprocessing
        parts = SplitPhotos(*(PartPhotos(split, part, spec, None, output) for part in ("train", "validation", "test")))
        network = network_of(bundle)
        # Spread over the part: its photos are in the order of their ids, which goes by the year.
        chosen = np.linspace(0, len(parts.test.records) - 1, photos or len(parts.test.records)).astype(np.int64)
        tensors = parts.test.some_tensors(chosen)
        lesions = tuple(parts.test.records[index].lesion_id for index in chosen)
        context = StepContext(bundle, parts, folder / "step", folder / "cache", 0, output)
        original = probabilities(network, tensors)
        return cls(bundle, network, context, tensors, parts.test.targets[chosen], lesions, original)

    def line(self, method: str, stage: QuantisationStage, seconds: float) -> MethodFigures:
        """Hold a stage against float32."""
        answers, manifest = probabilities(stage.network(), self.tensors), self.bundle.manifest
        figures = compare(manifest, self.original, answers, manifest.task.ids)
        deltas = paired_intervals(
            self.original,
            answers,
            self.truth,
            self.lesions,
            positive=manifest.task.positive_indices,
            threshold=manifest.threshold,
        )
        accuracy, balanced = (
            (deltas[name].change or 0.0, deltas[name].low or 0.0, deltas[name].high or 0.0)
            for name in ("accuracy", "balanced_accuracy")
        )
        return MethodFigures(
            method,
            figures.top1_agreement,
            *figures.agreement_interval,
            accuracy,
            balanced,
            figures.flips_to_positive,
            figures.flips_to_negative,
            figures.mean_change,
            stage.weight_bytes(),
            seconds,
            tuple(sorted(stage.floats)),
        )


def probabilities(network: keras.Model, photos: NDArray[np.uint8]) -> NDArray[np.float32]:
    return at_temperature(class_logits(predict(network, photos)), 1.0).astype(np.float32)


def lines(scene: TestedBundle, float_layers: int, epochs: int) -> Iterator[MethodFigures]:
    """Yield each method's line as soon as it is measured."""
    photos = scene.context.calibration()[: Quantise().photos]
    for ranges in ("percentile", "mse"):
        yield from _lines(scene, photos, QuantisationMethods(ranges=ranges), {"ranges": f"{ranges} ranges"})
    titles = {
        "nearest": "min-max",
        "equalised": "+ equalisation",
        "corrected": "+ bias correction",
        "learned": "+ learned rounding",
        "mixed": f"{float_layers} layers in float",
    }
    methods = Quantise(float_layers=float_layers).methods()
    yield from _lines(scene, photos, methods, titles)
    if epochs:
        started = time.perf_counter()
        step = Quantise(qat_epochs=epochs)
        *_, last = stages(scene.network, photos, Quantise(learn_rounding=False).methods(), output)
        trained, _ = step.trained(last, scene.context)
        yield scene.line(f"trained, {epochs} epochs", trained, time.perf_counter() - started)


def _lines(
    scene: TestedBundle, photos: NDArray[np.uint8], methods: QuantisationMethods, titles: dict[str, str]
) -> Iterator[MethodFigures]:
    started = time.perf_counter()
    for stage in stages(scene.network, photos, methods, output):
        seconds = time.perf_counter() - started
        if stage.name in titles:
            line = scene.line(titles[stage.name], stage, seconds)
            say("  ".join(line.row()))
            yield line
        started = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=int, help="test photos; default: all")
    parser.add_argument("--float-layers", type=int, default=4, help="of mixed precision")
    parser.add_argument("--qat", type=int, default=0, metavar="EPOCHS", help="of training; default: not measured")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scene = TestedBundle.open(Bundle.open(arguments.bundle), arguments.data, arguments.photos, Path(folder))
        found = list(lines(scene, arguments.float_layers, arguments.qat))
    title = f"{scene.bundle.manifest.name}, {len(scene.tensors):,} test photos, against its float32 (in Keras)"
    show(title, COLUMNS, [line.row() for line in found])
    for line in found:
        if line.floats:
            print(f"\nLeft in float: {', '.join(line.floats)}.")
    if not arguments.qat:
        print("\nQuantisation-aware training: not measured (--qat EPOCHS).")
    print(f"\n{NOTICE}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in found], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
