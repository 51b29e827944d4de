"""The model of one precision, made from the float32 model."""

from __future__ import annotations

from dermport.exporters.contract import PrecisionRecipe, Source
from dermport.exporters.integer.tflite import integer_form
from dermport.exporters.tflite.convert import float_model
from dermport.exporters.tflite.lowbit import int4_weights
from dermport.exporters.tflite.quantize import Int8, float16_weights


def model_for(recipe: PrecisionRecipe, source: Source) -> bytes:
    """Return the model in a recipe's precision: fp32, fp16, int8, int8-full or int4.

    int8 holds a model's own integers where it has them; else it comes from the calibration photos.

    Raises:
        ExportError: The conversion failed, or there are no calibration photos.
    """
    settings = recipe.settings
    if recipe.precision == "fp32":
        return source.once(_converted)
    if recipe.precision == "fp16":
        return float16_weights(source.once(_converted), source.calibration()[: settings["bias_correction_photos"]])
    if recipe.precision == "int4":
        photos = source.calibration()[: settings["calibration_photos"]]
        return int4_weights(source.plain.once(_converted), photos, settings["bias_correction_photos"])
    uint8_ends = settings["ends"] == "uint8"
    if source.integers is not None:
        return integer_form(source.plain.once(_converted), source.integers, uint8_ends=uint8_ends)
    form = source.once(_calibrated, settings["calibration_photos"], settings["bias_correction_photos"])
    return form.to_bytes(uint8_ends=uint8_ends)


def _converted(source: Source) -> bytes:
    return float_model(source.model)


def _calibrated(source: Source, photos: int, correction_photos: int) -> Int8:
    return Int8.calibrated(source.once(_converted), source.calibration()[:photos], correction_photos)
