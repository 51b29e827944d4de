"""TFLite: Android phones by LiteRT, browsers by LiteRT.js."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dermport.exporters.contract import Capabilities, Description, PrecisionRecipe, Source, Target
from dermport.exporters.rounding import LARGEST_INT8

_INT8 = {
    "quantizer": "litert-quantizer",
    "calibration_photos": 200,
    "activation_ranges": "min-max",
    "bias_correction_photos": 32,
}


class TFLite(Target):
    """Artifacts ``model.tflite``, batch 1: fp32, fp16, int8 with float32 ends, int8-full with uint8 ends."""

    capabilities = Capabilities(
        name="tflite",
        devices="Android (LiteRT, MediaPipe Tasks, ML Kit), browsers (LiteRT.js), x86-64 and aarch64 Linux",
        artifact="model.tflite",
        recipes=(
            PrecisionRecipe("fp32", "float32", policy="fp32"),
            PrecisionRecipe(
                "fp16",
                "float16 weights, float32 input and output, biases corrected",
                policy="fp16",
                calibrated=True,
                settings={"bias_correction_photos": 16},
            ),
            PrecisionRecipe(
                "int8",
                "int8 weights and activations, float32 input and output, biases corrected",
                policy="int8",
                calibrated=True,
                settings={**_INT8, "ends": "float32"},
                integers=True,
            ),
            PrecisionRecipe(
                "int8-full",
                "int8 weights and activations, uint8 input and output for NPUs, biases corrected",
                policy="int8",
                calibrated=True,
                settings={**_INT8, "ends": "uint8"},
                integers=True,
            ),
            PrecisionRecipe(
                "int4",
                "int4 weights of the large 1×1 convolutions, int8 elsewhere and in activations, biases corrected",
                policy="int8",
                calibrated=True,
                settings={**_INT8, "elements_of_largest_int8_layer": LARGEST_INT8, "rounding": "error feedback (GPTQ)"},
                optional=True,
            ),
        ),
        dynamic_batch=False,
        builds_on="Linux, macOS, Windows",
        evidence=("host-runtime",),
        tools=("tensorflow-cpu", "tensorflow", "keras", "litert-quantizer", "ai-edge-litert", "flatbuffers"),
        converts_with=("tensorflow", "litert_quantizer", "ai_edge_litert"),
    )

    def convert(self, source: Source, recipes: tuple[PrecisionRecipe, ...], folders: Mapping[str, Path]) -> None:
        """Write ``model.tflite`` for each recipe; the float conversion and the calibration are shared."""
        from dermport.exporters.tflite.metadata import stamped
        from dermport.exporters.tflite.precision import model_for

        for recipe in recipes:
            model = stamped(model_for(recipe, source), source, recipe.precision)
            (folders[recipe.precision] / self.capabilities.artifact).write_bytes(model)

    def describe(self, folder: Path) -> Description:
        """Read back ``model.tflite``."""
        from dermport.exporters.tflite.operators import describe

        return describe(folder / self.capabilities.artifact)
