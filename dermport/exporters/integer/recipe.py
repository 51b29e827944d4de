"""What is recorded of an artifact that holds a model's own integers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dermport.exporters.contract import Recipe, Source
from dermport.exporters.integer.pattern import is_integer
from dermport.exporters.integer.proof import fingerprint, stored_in

SUMMARY = "int8 weights and activations: the integers of model.keras, the same on every target"
_TARGETS, _PRECISIONS = ("tflite", "onnx", "tensorrt", "microcontroller"), ("int8", "int8-full")
_CALIBRATION = ("calibration_photos", "activation_ranges", "bias_correction", "bias_correction_photos")


def recipe_for(target: str, recipe: Recipe, source: Source) -> Recipe:
    """Return the recipe as it is carried out: of an integer model's int8 nothing is calibrated."""
    if target not in _TARGETS or recipe.precision not in _PRECISIONS or not is_integer(source.model):
        return recipe
    settings = {name: value for name, value in recipe.settings.items() if name not in _CALIBRATION}
    return replace(recipe, summary=SUMMARY, calibrated=False, settings={**settings, "integers": "model.keras"})


def proof_of(recipe: Recipe, artifact: Path) -> dict[str, Any]:
    """Return what an export's record says of its integers: the sha256 over all of them, equal on every target."""
    held = "integers" in recipe.settings
    return {"integers_sha256": fingerprint(stored_in(artifact))} if held else {}
