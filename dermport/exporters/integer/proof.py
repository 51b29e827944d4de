"""The integers that exported files hold: how a record names them, read back from disk and compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_json
from dermport.errors import ExportError
from dermport.exporters.contract import PrecisionRecipe, Source
from dermport.exporters.integer.stored import StoredLayer, stored_in_onnx, stored_in_tflite

SUMMARY = "int8 weights and activations: the integers of model.keras, the same on every target"
_CALIBRATION = ("calibration_photos", "activation_ranges", "bias_correction", "bias_correction_photos")


def recipe_for(recipe: PrecisionRecipe, source: Source) -> PrecisionRecipe:
    """Return the recipe as it is carried out: of an integer model's int8 nothing is calibrated."""
    if not recipe.integers or source.integers is None:
        return recipe
    settings = {name: value for name, value in recipe.settings.items() if name not in _CALIBRATION}
    return replace(recipe, summary=SUMMARY, calibrated=False, settings={**settings, "integers": "model.keras"})


def proof_of(recipe: PrecisionRecipe, artifact: Path) -> dict[str, Any]:
    """Return what an export's record says of its integers: the sha256 over all of them, equal on every target."""
    held = "integers" in recipe.settings
    return {"integers_sha256": fingerprint(stored_in(artifact))} if held else {}


def stored_in(path: Path) -> tuple[StoredLayer, ...]:
    """Return what a ``.tflite`` or ``.onnx`` file of a bundle holds: its weighted layers in order, then its sums.

    Raises:
        ExportError: The file is neither.
    """
    if path.suffix == ".tflite":
        return tuple(stored_in_tflite(path.read_bytes()))
    if path.suffix == ".onnx":
        import onnx

        return tuple(stored_in_onnx(onnx.load(path)))
    raise ExportError(f"{path} is no .tflite or .onnx file.", remedy="Name an artifact of tflite, onnx or tensorrt.")


def differences(first: Sequence[StoredLayer], second: Sequence[StoredLayer]) -> tuple[str, ...]:
    """Return in words what differs between the integers of two files; nothing where they are the same."""
    names = [[each.name for each in side] for side in (first, second)]
    if names[0] != names[1]:
        return (f"other layers: {len(names[0])} and {len(names[1])}",)
    return tuple(line for ours, theirs in zip(first, second, strict=True) for line in _differences(ours, theirs))


def fingerprint(stored: Sequence[StoredLayer]) -> str:
    """Return the sha256 over all integers and scales of a file: two files that hold the same have the same."""
    return sha256_json([[each.name, each.inputs, each.output, *map(_text, _arrays(each).values())] for each in stored])


def _differences(ours: StoredLayer, theirs: StoredLayer) -> Iterator[str]:
    if ours.inputs != theirs.inputs:
        yield f"{ours.name}: it reads steps of {ours.inputs}, and of {theirs.inputs}"
    if ours.output != theirs.output:
        yield f"{ours.name}: it gives steps of {ours.output}, and of {theirs.output}"
    for what, values in _arrays(ours).items():
        others = _arrays(theirs)[what]
        if values.shape != others.shape or values.dtype != others.dtype:
            yield f"{ours.name}: its {what} are {values.dtype} {values.shape}, and {others.dtype} {others.shape}"
        elif count := int((values != others).sum()):
            yield f"{ours.name}: {count} of its {values.size} {what} differ"


def _arrays(stored: StoredLayer) -> dict[str, NDArray[Any]]:
    return {"weights": stored.codes, "weight scales": stored.scale, "biases": stored.bias}


def _text(values: NDArray[Any]) -> list[Any]:
    return [str(values.dtype), list(values.shape), np.ascontiguousarray(values).tobytes().hex()]
