"""Bias correction (Nagel et al. 2019, "Data-Free Quantization", arXiv:1906.04721, section 4.2, with real means).

Rounding a weight by e shifts the mean of an output channel by e · E[x]. Depthwise convolutions have so few weights a
channel that these shifts do not average out, and they are most of what int8 costs a MobileNetV2: on a model
fine-tuned on HAM10000, agreement with float32 went from 0.89 to 0.98 by this alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.onnx.calibrate import channel_means
from dermport.exporters.onnx.graph import OnnxGraph, attribute, channel_axis, dequantised, drop_unused_constants

if TYPE_CHECKING:
    import onnx


def correct_biases(original: onnx.ModelProto, quantised: onnx.ModelProto, photos: NDArray[np.uint8]) -> None:
    """Give every node of `quantised` with integer weights a bias of its own that restores its float mean.

    Args:
        original: The float32 graph.
        quantised: Its Q/DQ form, changed in place; its weights are integer constants behind a DequantizeLinear.
        photos: Calibration photos, uint8 [N, S, S, 3].
    """
    from onnx import numpy_helper

    before, after = OnnxGraph.of(original), OnnxGraph.of(quantised)
    rounded = {node.output[0]: node for node in after.weighted()}
    nodes = [
        node
        for node in before.weighted()
        if len(node.input) == 3 and rounded[node.output[0]].input[1] in after.producers
    ]
    means = channel_means(original, sorted({node.input[0] for node in nodes}), photos)
    for number, node in enumerate(nodes):
        twin = rounded[node.output[0]]
        error = dequantised(after, after.producers[twin.input[1]]) - before.constant(node.input[1])
        bias = before.constant(node.input[2]) - _shift(node, error, means[node.input[0]])
        twin.input[2] = f"corrected_bias_{number}"  # nodes may share a constant, but not its correction
        quantised.graph.initializer.append(numpy_helper.from_array(bias.astype(np.float32), twin.input[2]))
    drop_unused_constants(quantised)


def _shift(node: onnx.NodeProto, error: NDArray[np.float32], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much the mean of each output channel moves, float64 [out]."""
    if node.op_type != "Conv":
        return mean @ error if channel_axis(node) == 1 else error @ mean
    groups = attribute(node, "group", 1)
    summed = error.sum(axis=(2, 3), dtype=np.float64)  # [out, in / groups]; ignores the borders, where padding is 0
    by_group = summed.reshape(groups, -1, summed.shape[1]) @ mean.reshape(groups, -1, 1)
    return np.asarray(by_group.reshape(-1))
