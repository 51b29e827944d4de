"""int4 weights for ONNX Runtime: integer constants behind a DequantizeLinear of opset 21, activations float32.

ONNX Runtime keeps the codes in 4 bits, dequantises them at every call and convolves in float32: it saves bytes and
costs time. TensorRT takes int4 weights for matrix products alone, so its kit has no such form
(docs.nvidia.com/deeplearning/tensorrt, "Working with Quantized Types").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError
from dermport.exporters.onnx.bias import correct_biases
from dermport.exporters.onnx.calibrate import batches
from dermport.exporters.onnx.graph import OnnxGraph, attribute, channel_axis, drop_unused_constants
from dermport.exporters.rounding import LARGEST_FLOAT, LARGEST_INT8, Floats, Grid, Moments, rounded
from dermport.runtimes.onnxruntime import open_session

if TYPE_CHECKING:
    import onnx

_OPSET = 21
_IR_VERSION = 10


def int4_form(model: onnx.ModelProto, photos: NDArray[np.uint8]) -> onnx.ModelProto:
    """Return a float32 graph with int4 weights in large layers and int8 ones in small layers, a scale per channel.

    Args:
        model: What :func:`dermport.exporters.onnx.convert.float_model` returns.
        photos: Calibration photos, uint8 [N, S, S, 3].

    Raises:
        ExportError: There are no photos.
    """
    if not len(photos):
        raise ExportError("int4 needs calibration photos, and there are none.", remedy="Train on a data set first.")
    graph = OnnxGraph.of(model)
    nodes = [node for node in graph.weighted() if node.input[1] in graph.initializers]
    nodes = [node for node in nodes if graph.constant(node.input[1]).size > LARGEST_FLOAT]
    pointwise = {node.input[0] for node in nodes if _takes_int4(node, graph.constant(node.input[1]))}
    moments = _moments(model, sorted(pointwise), photos)
    result = _copied(model)
    for node in nodes:
        weight = graph.constant(node.input[1])
        four = _takes_int4(node, weight)
        covariance = moments[node.input[0]].statistics().covariance if four else None
        _store(result, node, weight, 4 if four else 8, covariance)
    _put_before_readers(result)
    drop_unused_constants(result)
    correct_biases(model, result, photos)
    return result


def _copied(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnx

    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.opset_import[0].version, result.ir_version = _OPSET, _IR_VERSION
    for node in result.graph.node:
        if node.op_type.startswith("Reduce") and node.op_type != "ReduceSum":
            _give_axes(result, node)
    return result


def _give_axes(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
    """Give a reduction its axes as an input, as opset 18 has them."""
    from onnx import numpy_helper

    for axes in [item for item in node.attribute if item.name == "axes"]:
        node.input.append(f"{node.output[0]}_axes")
        model.graph.initializer.append(numpy_helper.from_array(np.array(axes.ints, np.int64), node.input[1]))
        node.attribute.remove(axes)


def _takes_int4(node: onnx.NodeProto, weight: NDArray[np.float32]) -> bool:
    pointwise = node.op_type == "Conv" and weight.shape[2:] == (1, 1) and attribute(node, "group", 1) == 1
    return pointwise and weight.size > LARGEST_INT8


def _moments(model: onnx.ModelProto, names: Sequence[str], photos: NDArray[np.uint8]) -> dict[str, Moments]:
    import onnx

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = open_session(probe.SerializeToString())
    moments = {name: Moments() for name in names}
    if not names:
        return moments
    for feed in batches(photos):
        for name, value in zip(names, session.run(None, feed), strict=True):
            moments[name].add(np.moveaxis(value, 1, 0).reshape(value.shape[1], -1))
    return moments


def _store(
    result: onnx.ModelProto, node: onnx.NodeProto, weight: NDArray[np.float32], bits: int, covariance: Floats | None
) -> None:
    """Write a weight as codes and scales, and let the node read what a DequantizeLinear makes of them."""
    import ml_dtypes
    from onnx import helper, numpy_helper

    axis = channel_axis(node)
    matrix = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1).astype(np.float64)
    grid = Grid.of(matrix, bits)
    codes = np.rint(rounded(matrix, grid, covariance) / grid.scales).astype(np.int8)
    shape = np.moveaxis(weight, axis, 0).shape
    codes = np.moveaxis(codes.reshape(shape), 0, axis)
    name = node.input[1]
    stored = codes.astype(ml_dtypes.int4) if bits == 4 else codes
    scales = grid.scales[:, 0].astype(np.float32)
    for constant, suffix in ((stored, "codes"), (scales, "scale")):
        result.graph.initializer.append(numpy_helper.from_array(constant, f"{name}_{suffix}"))
    inputs, output = [f"{name}_codes", f"{name}_scale"], f"{name}_dequantised"
    made = helper.make_node("DequantizeLinear", inputs, [output], name=output, axis=axis)
    result.graph.node.append(made)
    twin = next(other for other in result.graph.node if other.output[0] == node.output[0])
    twin.input[1] = output


def _put_before_readers(model: onnx.ModelProto) -> None:
    """Put the DequantizeLinear nodes first: the order of nodes has to be topological."""
    nodes = sorted(model.graph.node, key=lambda node: node.op_type != "DequantizeLinear")
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
