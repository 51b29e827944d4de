"""The integers of a ``.tflite`` file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dermport.exporters.integer.stored import Stored
from dermport.exporters.tflite.graph import Graph

_INT8 = 9  # TensorType of TFLite's schema


def stored_in_tflite(data: bytes) -> Iterator[Stored]:
    """Yield what a model's bytes hold: its weighted layers in order, then its residual sums."""
    graph = Graph(data)
    for number, operator in enumerate(graph.weighted(), 1):
        yield _layer(graph, operator, f"layer {number}")
    for number, operator in enumerate(graph.sums(), 1):
        yield Stored.total(
            number, (_scale_read(graph, index) for index in operator.inputs), _scale_given(graph, operator)
        )


def _layer(graph: Graph, operator: Any, name: str) -> Stored:
    weights = graph.tensor(operator.inputs[1])
    integer = weights.type == _INT8
    codes = np.moveaxis(graph.constant(weights), 0, -1)
    bias = np.zeros(graph.tensor(operator.outputs[0]).shape[-1], np.int32 if integer else np.float32)
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        bias = graph.constant(graph.tensor(operator.inputs[2]))
    scale = np.asarray(weights.quantization.scale if integer else (), np.float32)
    return Stored(name, (_scale_read(graph, operator.inputs[0]),), _scale_given(graph, operator), codes, scale, bias)


def _scale_read(graph: Graph, index: int) -> float | None:
    """Return the scale of the codes that a tensor holds, or once held."""
    if (tensor := graph.tensor(index)).type == _INT8:
        return float(tensor.quantization.scale[0])
    before = graph.writer(index)
    if before is not None and graph.type_of(before) in ("PAD", "DEQUANTIZE"):
        return _scale_read(graph, before.inputs[0])
    return None


def _scale_given(graph: Graph, operator: Any) -> float | None:
    """Return the scale of the codes that an operator's result is, or becomes."""
    [index] = operator.outputs
    readers = [other for other in graph.operators if index in other.inputs and graph.type_of(other) == "QUANTIZE"]
    return _scale_read(graph, readers[0].outputs[0] if readers else index)
