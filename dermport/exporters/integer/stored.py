"""What the layers of an exported integer model hold, in the same words for every format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.integer.grid import bias_step
from dermport.exporters.integer.onnx import keras_layout
from dermport.exporters.onnx.graph import OnnxGraph
from dermport.exporters.tflite.graph import TFLiteGraph

if TYPE_CHECKING:
    import onnx

_INT8 = 9  # TensorType of TFLite's schema


@dataclass(frozen=True)
class StoredLayer:
    """One convolution, dense layer or residual sum of a file.

    Attributes:
        name: What it is and which one, e.g. ``"layer 3"`` or ``"sum 1"``.
        inputs: The scale of each activation that it reads; None of one in float.
        output: The scale of what it gives, past its relu; None in float.
        codes: Weights in Keras' layout, int8, or float32 where it stays in float; of a sum, none.
        scale: What a step of the codes is worth, float32 [channels]; none in float.
        bias: int32 [channels], or float32 in float; zeros where a file leaves them out.
    """

    name: str
    inputs: tuple[float | None, ...]
    output: float | None
    codes: NDArray[Any]
    scale: NDArray[np.float32]
    bias: NDArray[Any]

    @classmethod
    def total(cls, number: int, inputs: Iterable[float | None], output: float | None) -> StoredLayer:
        """Return a residual sum; converters order its inputs as they like."""
        nothing = np.zeros(0, np.float32)
        return cls(f"sum {number}", tuple(sorted(inputs, key=str)), output, nothing, nothing, nothing)


def stored_in_onnx(model: onnx.ModelProto) -> Iterator[StoredLayer]:
    """Yield what a graph holds: its weighted layers in order, then its residual sums.

    Biases are float32 there; their codes are what they are in steps of input scale times weight scale. So are weights
    in the form for TensorRT 8.
    """
    graph = OnnxGraph.of(model)
    for number, node in enumerate(graph.weighted(), 1):
        yield _onnx_layer(graph, node, f"layer {number}")
    for number, node in enumerate(graph.residual_adds(), 1):
        yield StoredLayer.total(
            number, (_onnx_scale_read(graph, name) for name in node.input), _onnx_scale_given(graph, node)
        )


def _onnx_layer(graph: OnnxGraph, node: onnx.NodeProto, name: str) -> StoredLayer:
    read = _onnx_scale_read(graph, node.input[0])
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
    return StoredLayer(name, (read,), _onnx_scale_given(graph, node), keras_layout(graph, node, weights), scale, bias)


def _onnx_scale_read(graph: OnnxGraph, name: str) -> float | None:
    """Return the scale of the codes that a tensor was made of."""
    if graph.writer(name) != "DequantizeLinear":
        return None
    return float(graph.constant(graph.producers[name].input[1]))


def _onnx_scale_given(graph: OnnxGraph, node: onnx.NodeProto) -> float | None:
    """Return the scale of the codes that a node's result becomes, past its relu6."""
    for reader in graph.readers(node.output[0]):
        if reader.op_type == "QuantizeLinear":
            return float(graph.constant(reader.input[1]))
        if reader.op_type == "Clip":
            return _onnx_scale_given(graph, reader)
    return None


def stored_in_tflite(data: bytes) -> Iterator[StoredLayer]:
    """Yield what a model's bytes hold: its weighted layers in order, then its residual sums."""
    graph = TFLiteGraph(data)
    for number, operator in enumerate(graph.weighted(), 1):
        yield _tflite_layer(graph, operator, f"layer {number}")
    for number, operator in enumerate(graph.sums(), 1):
        yield StoredLayer.total(
            number,
            (_tflite_scale_read(graph, index) for index in operator.inputs),
            _tflite_scale_given(graph, operator),
        )


def _tflite_layer(graph: TFLiteGraph, operator: Any, name: str) -> StoredLayer:
    weights = graph.tensor(operator.inputs[1])
    integer = weights.type == _INT8
    codes = np.moveaxis(graph.constant(weights), 0, -1)
    bias = np.zeros(graph.tensor(operator.outputs[0]).shape[-1], np.int32 if integer else np.float32)
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        bias = graph.constant(graph.tensor(operator.inputs[2]))
    scale = np.asarray(weights.quantization.scale if integer else (), np.float32)
    return StoredLayer(
        name, (_tflite_scale_read(graph, operator.inputs[0]),), _tflite_scale_given(graph, operator), codes, scale, bias
    )


def _tflite_scale_read(graph: TFLiteGraph, index: int) -> float | None:
    """Return the scale of the codes that a tensor holds, or once held."""
    if (tensor := graph.tensor(index)).type == _INT8:
        return float(tensor.quantization.scale[0])
    before = graph.writer(index)
    if before is not None and graph.type_of(before) in ("PAD", "DEQUANTIZE"):
        return _tflite_scale_read(graph, before.inputs[0])
    return None


def _tflite_scale_given(graph: TFLiteGraph, operator: Any) -> float | None:
    """Return the scale of the codes that an operator's result is, or becomes."""
    [index] = operator.outputs
    readers = [other for other in graph.operators if index in other.inputs and graph.type_of(other) == "QUANTIZE"]
    return _tflite_scale_read(graph, readers[0].outputs[0] if readers else index)
