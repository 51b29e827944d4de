"""A graph's nodes and constants by the names that other nodes know them by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

WEIGHTED = ("Conv", "Gemm", "MatMul")


@dataclass(frozen=True)
class OnnxGraph:
    """A read-only view of an ONNX graph.

    Attributes:
        nodes: The nodes in topological order.
        producers: Tensor name to the node that writes it.
        positions: Tensor name to the place of its writer in `nodes`.
        initializers: Constant name to its tensor.
    """

    nodes: tuple[onnx.NodeProto, ...]
    producers: dict[str, onnx.NodeProto]
    positions: dict[str, int]
    initializers: dict[str, onnx.TensorProto]

    @classmethod
    def of(cls, model: onnx.ModelProto) -> OnnxGraph:
        """Index the graph of `model`."""
        nodes = tuple(model.graph.node)
        return cls(
            nodes,
            {name: node for node in nodes for name in node.output},
            {name: place for place, node in enumerate(nodes) for name in node.output},
            {tensor.name: tensor for tensor in model.graph.initializer},
        )

    def constant(self, name: str) -> NDArray[Any]:
        """Return the value of an initializer; KeyError where `name` is none."""
        from onnx import numpy_helper

        return np.asarray(numpy_helper.to_array(self.initializers[name]))

    def writer(self, name: str) -> str:
        """Return the type of the node that writes a tensor; empty for inputs and constants."""
        return self.producers[name].op_type if name in self.producers else ""

    def readers(self, name: str) -> tuple[onnx.NodeProto, ...]:
        """Return the nodes that read a tensor."""
        return tuple(node for node in self.nodes if name in node.input)

    def weighted(self) -> Iterator[onnx.NodeProto]:
        """Yield the nodes that multiply activations by weights."""
        return (node for node in self.nodes if node.op_type in WEIGHTED)

    def residual_adds(self) -> Iterator[onnx.NodeProto]:
        """Yield the additions of two activations: the ends of the skip connections."""
        return (
            node for node in self.nodes if node.op_type == "Add" and all(name in self.producers for name in node.input)
        )

    def residual_input(self, add: onnx.NodeProto) -> int:
        """Return which input of a residual addition (0 or 1) is the skip connection: the one that is there first."""
        first, second = (self.positions[self.before_qdq(name)] for name in add.input)
        return 0 if first < second else 1

    def before_qdq(self, name: str) -> str:
        """Return the tensor that a Q/DQ pair ending in `name` quantises; `name` itself where there is no pair."""
        while self.writer(name) in ("QuantizeLinear", "DequantizeLinear"):
            name = self.producers[name].input[0]
        return name


def shape_tensors(model: onnx.ModelProto) -> set[str]:
    """Return the tensors of integers: the shapes that a Flatten computes with, which are no activations."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    integers = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)
    return {info.name for info in inferred if info.type.tensor_type.elem_type in integers}


def attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    """Return an integer attribute of a node, or `default` where the node does not say."""
    return next((int(item.i) for item in node.attribute if item.name == name), default)


def channel_axis(node: onnx.NodeProto) -> int:
    """Return the axis of a weighted node's weight that counts output channels.

    Conv [out, in/groups, h, w]: 0. Gemm [in, out], or [out, in] with ``transB``: 1 or 0. MatMul [in, out]: 1.
    """
    if node.op_type == "Conv":
        return 0
    return 0 if attribute(node, "transB", 0) else 1


def dequantised(graph: OnnxGraph, node: onnx.NodeProto) -> NDArray[np.float32]:
    """Return the values, float32, that a DequantizeLinear makes of its int8 constant."""
    values, scale = graph.constant(node.input[0]), graph.constant(node.input[1])
    shape = [1] * values.ndim
    if scale.ndim:
        shape[attribute(node, "axis", 1)] = -1
    return values.astype(np.float32) * scale.reshape(shape).astype(np.float32)


def drop_unused_constants(model: onnx.ModelProto) -> None:
    """Remove the initializers that no node of `model` reads."""
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
