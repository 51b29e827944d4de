"""The graph of one precision, made from the float32 graph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.contract import Recipe, Source
from dermport.exporters.integer.onnx import integer_form as qdq_of_integers
from dermport.exporters.integer.pattern import is_integer, split
from dermport.exporters.onnx.convert import float_model
from dermport.exporters.onnx.cpu import integer_form
from dermport.exporters.onnx.cpu_lint import require_integers
from dermport.exporters.onnx.half import half_model
from dermport.exporters.onnx.lint import require_qdq
from dermport.exporters.onnx.lowbit import int4_form
from dermport.exporters.onnx.metadata import stamp
from dermport.exporters.onnx.qdq import float_weights, quantised

if TYPE_CHECKING:
    import onnx


def graph_for(
    recipe: Recipe, original: onnx.ModelProto, source: Source, *, int8_constants: bool = True
) -> onnx.ModelProto:
    """Return the graph of a recipe's precision: fp32, fp16, int8, int8-cpu or int4.

    Args:
        recipe: What to make; its settings give the number of calibration photos.
        original: What :func:`dermport.exporters.onnx.convert.float_model` returned; not changed.
        source: What gives the calibration photos and the metadata.
        int8_constants: Whether the int8 form stores its weights in int8 (a quarter of the size), or in float32 as
            TensorRT 8 needs it.

    Raises:
        ExportError: The int8 graph breaks TensorRT's Q/DQ rules, or the one for CPUs its own.
    """
    if recipe.precision == "fp32":
        return original
    if recipe.precision == "fp16":
        graph = half_model(original)
    elif recipe.precision == "int4":
        graph = int4_form(_plain(original, source), _photos(recipe, source))
    else:
        graph = _int8(recipe, original, source)
        graph = graph if int8_constants else float_weights(graph)
    stamp(graph, source, recipe.precision)
    return graph


def _int8(recipe: Recipe, original: onnx.ModelProto, source: Source) -> onnx.ModelProto:
    """Return the int8 form: from a model's own integers where it has them, else from the calibration photos.

    The form for CPUs is always calibrated: old ones would saturate where they multiply other targets' integers.
    """
    parts = split(source.model) if is_integer(source.model) else None
    original = _plain(original, source)
    if recipe.precision == "int8-cpu":
        graph = integer_form(original, _photos(recipe, source))
        require_integers(graph)
    elif parts is not None:
        graph = qdq_of_integers(original, parts.table)
        require_qdq(graph, mixed=True)
    else:
        graph = quantised(original, _photos(recipe, source))
        require_qdq(graph)
    return graph


def _plain(original: onnx.ModelProto, source: Source) -> onnx.ModelProto:
    """Return the graph without the rounding of an integer model."""
    if not is_integer(source.model):
        return original
    return float_model(replace(source, model=split(source.model).plain))


def _photos(recipe: Recipe, source: Source) -> NDArray[np.uint8]:
    return source.calibration()[: recipe.settings["calibration_photos"]]
