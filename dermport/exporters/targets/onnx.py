"""ONNX: one file for ONNX Runtime on any machine, with a dynamic batch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dermport.exporters.contract import Capabilities, Description, PrecisionRecipe, Source, Target
from dermport.exporters.rounding import LARGEST_FLOAT, LARGEST_INT8

INT8_SETTINGS = {
    "opset": 17,
    "calibration_photos": 200,
    "activation_ranges": "min-max",
    "bias_correction": True,
}


class Onnx(Target):
    """Artifacts ``model.onnx``: fp32, int8 as explicit Q/DQ by TensorRT's rules, int8-cpu as CPUs compute it,
    int4 of weights alone."""

    capabilities = Capabilities(
        name="onnx",
        devices="any machine with ONNX Runtime (x86-64, aarch64, Jetson's CPU)",
        artifact="model.onnx",
        recipes=(
            PrecisionRecipe("fp32", "float32, opset 17, dynamic batch", policy="fp32", settings={"opset": 17}),
            PrecisionRecipe(
                "int8",
                "int8 weights and activations, explicit Q/DQ by TensorRT's rules, biases corrected",
                policy="int8",
                calibrated=True,
                settings=INT8_SETTINGS,
                integers=True,
            ),
            PrecisionRecipe(
                "int8-cpu",
                "int8 weights, uint8 activations, all in integers for CPUs, biases corrected",
                policy="int8",
                calibrated=True,
                settings={**INT8_SETTINGS, "activations": "uint8", "neighbouring_weights": "within 128"},
            ),
            PrecisionRecipe(
                "int4",
                "int4 weights of large layers, int8 of small ones, float32 activations, opset 21",
                policy="weights4",
                calibrated=True,
                settings={
                    "opset": 21,
                    "calibration_photos": 128,
                    "elements_of_largest_float_layer": LARGEST_FLOAT,
                    "elements_of_largest_int8_layer": LARGEST_INT8,
                    "rounding": "error feedback (GPTQ)",
                    "bias_correction": True,
                },
                optional=True,
            ),
        ),
        dynamic_batch=True,
        builds_on="Linux, macOS, Windows",
        evidence=("host-runtime",),
        tools=("tensorflow-cpu", "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime"),
        converts_with=("tensorflow", "tf2onnx", "onnx", "onnxruntime"),
    )

    def convert(self, source: Source, recipes: tuple[PrecisionRecipe, ...], folders: Mapping[str, Path]) -> None:
        """Write ``model.onnx`` for each recipe; the float conversion is shared."""
        from dermport.exporters.onnx.convert import FILE, save
        from dermport.exporters.onnx.precision import graph_for

        for recipe in recipes:
            save(graph_for(recipe, source), folders[recipe.precision] / FILE)

    def describe(self, folder: Path) -> Description:
        """Read back ``model.onnx``."""
        import onnx

        from dermport.bundle.activation_map import MEANING
        from dermport.exporters.onnx.convert import FILE
        from dermport.exporters.onnx.operators import operators, tensors

        meanings = ("calibrated probabilities in the order of the labels", MEANING)
        model = onnx.load(folder / FILE)
        return Description(
            inputs=tensors(list(model.graph.input), ("RGB, 0..255",)),
            outputs=tensors(list(model.graph.output), meanings),
            operators=operators(model),
        )
