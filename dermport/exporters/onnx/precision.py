"""The graph of one precision, made from the float32 graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.contract import PrecisionRecipe, Source
from dermport.exporters.integer.onnx import integer_form as qdq_of_integers
from dermport.exporters.onnx.convert import float_model, stamp
from dermport.exporters.onnx.cpu import integer_form
from dermport.exporters.onnx.cpu_lint import require_integers
from dermport.exporters.onnx.lint import require_qdq
from dermport.exporters.onnx.lowbit import int4_form
from dermport.exporters.onnx.qdq import float_weights, quantised

if TYPE_CHECKING:
    import onnx


def graph_for(recipe: PrecisionRecipe, source: Source, *, int8_constants: bool = True) -> onnx.ModelProto:
    """Return the graph of a recipe's precision: fp32, fp16, int8, int8-cpu or int4; not to be changed.

    int8 holds a model's own integers where it has them; else it comes from the calibration photos. The form for CPUs
    is always calibrated: old ones would saturate where they multiply other targets' integers.

    Args:
        recipe: What to make; its settings give the number of calibration photos.
        source: The model, and what gives the calibration photos and the metadata.
        int8_constants: Whether the int8 form stores its weights in int8 (a quarter of the size), or in float32 as
            TensorRT 8 needs it.

    Raises:
        ExportError: The int8 graph breaks TensorRT's Q/DQ rules, or the one for CPUs its own.
    """
    if recipe.precision == "fp32":
        return source.once(float_model)
    if recipe.precision == "fp16":
        graph = half_model(source.once(float_model))
    elif recipe.precision == "int4":
        graph = int4_form(source.plain.once(float_model), _photos(recipe, source))
    elif recipe.precision == "int8-cpu":
        graph = integer_form(source.plain.once(float_model), _photos(recipe, source))
        require_integers(graph)
    else:
        graph = source.once(_int8, recipe.settings.get("calibration_photos", 0))
        graph = graph if int8_constants else float_weights(graph)
    stamp(graph, source, recipe.precision)
    return graph


def _int8(source: Source, photos: int) -> onnx.ModelProto:
    original, integers = source.plain.once(float_model), source.integers
    graph = (
        quantised(original, source.calibration()[:photos]) if integers is None else qdq_of_integers(original, integers)
    )
    require_qdq(graph, mixed=integers is not None)
    return graph


def half_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model` with float16 weights and activations; input and output stay float32, cast at the edges.

    TensorRT's strongly typed networks need it. Pixel values up to 255 are exact in float16, and the softmax's results
    are rounded to about 5e-4.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    converted: onnx.ModelProto = convert_float_to_float16(copy, keep_io_types=True, op_block_list=[])
    OnnxModel(converted).topological_sort()  # the converter appends the input's cast after its readers
    return converted


def _photos(recipe: PrecisionRecipe, source: Source) -> NDArray[np.uint8]:
    return source.calibration()[: recipe.settings["calibration_photos"]]
