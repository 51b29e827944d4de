"""The integers of a Q/DQ graph in ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dermport.exporters.integer.grid import bias_step
from dermport.exporters.integer.onnx import keras_layout
from dermport.exporters.integer.stored import Stored
from dermport.exporters.onnx.graph import Graph

if TYPE_CHECKING:
    import onnx


def stored_in_onnx(model: onnx.ModelProto) -> Iterator[Stored]:
    """Yield what a graph holds: its weighted layers in order, then its residual sums.

    Biases are float32 there; their codes are what they are in steps of input scale times weight scale. So are weights
    in the form for TensorRT 8.
    """
    graph = Graph.of(model)
    for number, node in enumerate(graph.weighted(), 1):
        yield _layer(graph, node, f"layer {number}")
    for number, node in enumerate(graph.residual_adds(), 1):
        yield Stored.total(number, (_scale_read(graph, name) for name in node.input), _scale_given(graph, node))


def _layer(graph: Graph, node: onnx.NodeProto, name: str) -> Stored:
    read = _scale_read(graph, node.input[0])
    scale = np.zeros(0, np.float32)
    weights = graph.constant(graph.before_qdq(node.input[1]))
    bias = graph.constant(node.input[2]) if len(node.input) == 3 else None
    if graph.writer(node.input[1]) == "DequantizeLinear":
        scale = graph.constant(graph.producers[node.input[1]].input[1])
        if weights.dtype != np.int8:
            weights = np.rint(weights / scale.reshape(-1, *[1] * (weights.ndim - 1))).clip(-128, 127).astype(np.int8)
        if bias is not None and read is not None:
            bias = np.rint(bias / bias_step(scale, read)).astype(np.int32)
    if bias is None:
        bias = np.zeros(len(scale) or weights.shape[-1], np.int32 if len(scale) else np.float32)
    return Stored(name, (read,), _scale_given(graph, node), keras_layout(graph, node, weights), scale, bias)


def _scale_read(graph: Graph, name: str) -> float | None:
    """Return the scale of the codes that a tensor was made of."""
    if graph.writer(name) != "DequantizeLinear":
        return None
    return float(graph.constant(graph.producers[name].input[1]))


def _scale_given(graph: Graph, node: onnx.NodeProto) -> float | None:
    """Return the scale of the codes that a node's result becomes, past its relu6."""
    for reader in graph.readers(node.output[0]):
        if reader.op_type == "QuantizeLinear":
            return float(graph.constant(reader.input[1]))
        if reader.op_type == "Clip":
            return _scale_given(graph, reader)
    return None
