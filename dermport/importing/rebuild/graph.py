"""An ONNX graph as plain data: nodes in order, constants by name, one image in and one answer out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ModelError

if TYPE_CHECKING:
    import onnx

Constants = Mapping[str, NDArray[Any]]
_OLDEST = 9


@dataclass(frozen=True)
class GraphNode:
    """An operator with the names of what it reads and writes.

    Attributes:
        type: Its ONNX type, such as ``Conv``.
        name: Its own.
        inputs: Names; empty ones are left out by the model.
        outputs: Names.
        attributes: As Python values and arrays.
    """

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class ClassifierGraph:
    """The graph of an image classifier.

    Attributes:
        input: The image's name.
        shape: Its dimensions; None where they are free.
        output: The answer's name.
        nodes: In the order in which they are computed.
        constants: By name.
    """

    input: str
    shape: tuple[int | None, ...]
    output: str
    nodes: tuple[GraphNode, ...]
    constants: Constants

    def readers(self) -> Counter[str]:
        """Return how many read each value, the graph's output counted."""
        return Counter([name for node in self.nodes for name in node.inputs] + [self.output])

    def with_nodes(self, nodes: Iterable[GraphNode], constants: Constants) -> ClassifierGraph:
        """Return the graph with other nodes, and further constants."""
        return replace(self, nodes=tuple(nodes), constants={**self.constants, **constants})


def read_graph(model: onnx.ModelProto, file: str) -> ClassifierGraph:
    """Return an ONNX model's graph.

    Args:
        model: The model.
        file: What messages call it.

    Raises:
        ModelError: It has several inputs or outputs, is quantised, or older than opset 9.
    """
    from onnx import numpy_helper

    model = _inlined(model)
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset < _OLDEST:
        raise ModelError(f"{file} is of ONNX opset {opset}; {_OLDEST} and newer are read.", remedy="Export it anew.")
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in constants]
    image = the_only(inputs, "input", [entry.name for entry in inputs], file)
    outputs = [entry.name for entry in model.graph.output]
    _check_float(model, file)
    nodes = [_node(node) for node in model.graph.node]
    constants |= {
        node.outputs[0]: np.asarray(next(iter(node.attributes.values()))) for node in nodes if node.type == "Constant"
    }
    return ClassifierGraph(
        input=image.name,
        shape=tuple(dim.dim_value or None for dim in image.type.tensor_type.shape.dim),
        output=the_only(outputs, "output", outputs, file),
        nodes=tuple(node for node in nodes if node.type != "Constant"),
        constants=constants,
    )


def the_only(found: list[Any], what: str, names: Iterable[str], file: str) -> Any:
    """Return the one thing in a list.

    Raises:
        ModelError: There are more, or none.
    """
    if len(found) != 1:
        raise ModelError(
            f"{file} has {len(found)} {what}s ({', '.join(names)}); a bundle's model has one image in, one answer out.",
            remedy="Export the classifier alone: one image in, its logits or probabilities out.",
        )
    return found[0]


def _inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnx import inliner

    return inliner.inline_local_functions(model) if model.functions else model


def _check_float(model: onnx.ModelProto, file: str) -> None:
    quantised = {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}
    if found := sorted(quantised & {node.op_type for node in model.graph.node}):
        raise ModelError(
            f"{file} is quantised already ({', '.join(found)}).",
            remedy="Import the float model that it was made from; `dermport export` quantises, and proves what it did.",
        )


def _node(node: onnx.NodeProto) -> GraphNode:
    from onnx import TensorProto, helper, numpy_helper

    values = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    attributes = {
        name: numpy_helper.to_array(value) if isinstance(value, TensorProto) else _text(value)
        for name, value in values.items()
    }
    return GraphNode(node.op_type, node.name or node.output[0], tuple(node.input), tuple(node.output), attributes)


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def evaluated(node: GraphNode, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return what a node makes of constants, by ONNX's own reference."""
    from onnx import helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    names = [f"in{place}" if name else "" for place, name in enumerate(node.inputs)]
    attributes = {
        key: numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for key, value in node.attributes.items()
    }
    proto = helper.make_node(node.type, names, list(node.outputs), **attributes)
    given = {name: value for name, value in zip(names, inputs, strict=True) if name}
    info = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for name, v in given.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.outputs]
    graph = helper.make_graph([proto], "folded", info, outputs)
    made = ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", _opset_of(node))]))
    return [np.asarray(value) for value in made.run(None, given)]


def _opset_of(node: GraphNode) -> int:
    """Return an opset in which a node of constants has the form that it has: axes as attribute, or as input."""
    return 11 if node.type in ("Squeeze", "Unsqueeze") and "axes" in node.attributes else 17
