"""Small ONNX graphs, written by hand: what exporters of other frameworks write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def graph_of(
    nodes: Sequence[Any],
    constants: dict[str, NDArray[Any]],
    shape: Sequence[Any],
    *,
    inputs: Sequence[str] = ("image",),
) -> bytes:
    """Return a model of opset 17 whose last node writes ``answer``."""
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None, None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": "{0: 'left', 1: 'right', 2: 'neither'}"})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def nchw_classifier(size: int, *, operator: str = "", inputs: int = 1, width: int = 0) -> bytes:
    """Return a network as PyTorch writes one: [N, 3, H, W], convolution, leaky ReLU, flattening, dense layer, logits.

    Args:
        size: Height, and width where `width` is 0.
        operator: An operator to put in front.
        inputs: How many there are; the second is not used.
        width: Of the input.
    """
    random = np.random.default_rng(5)
    side, across = size // 4, (width or size) // 4
    constants = {
        "kernel": random.normal(0, 0.3, (6, 3, 3, 3)).astype(np.float32),
        "weights": random.normal(0, 0.1, (3, 6 * side * across)).astype(np.float32),
        "bias": np.array([0.1, -0.2, 0.3], np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image"], ["seen"], strides=[2, 2], pads=[1, 1, 1, 1], name="conv"),
        helper.make_node("LeakyRelu", ["seen"], ["lit"], alpha=0.2),
        helper.make_node("MaxPool", ["lit"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["answer"], transB=1),
    ]
    nodes[0].input.append("kernel")
    if operator:
        nodes.insert(0, helper.make_node(operator, ["image"], ["odd"], name="odd_one"))
        nodes[1].input[0] = "odd"
    names = ("image", "other")[:inputs]
    return graph_of(nodes, constants, ["N", 3, size, width or size], inputs=names)
