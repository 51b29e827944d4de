"""ONNX's form of an integer model: Q/DQ by TensorRT's rules, with every number from the table.

A pair of QuantizeLinear and DequantizeLinear stands where the Keras model rounds, and nowhere else: behind each relu6,
never before it, and on both inputs of a residual sum. (TensorRT would rather add a convolution's unrounded result;
LiteRT cannot, and both shall compute the same.) Weights are int8 constants, biases float32 constants on the grid of the
int32 ones that LiteRT reads: TensorRT takes no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.integer.pattern import KerasLayer, Quantisation, pairs, require_weights
from dermport.exporters.onnx.graph import OnnxGraph, attribute, drop_unused_constants

if TYPE_CHECKING:
    import onnx


def integer_form(model: onnx.ModelProto, table: Quantisation) -> onnx.ModelProto:
    """Return the Q/DQ form of a float graph, with the table's integers.

    Args:
        model: The float32 graph of the plain model, as :func:`dermport.exporters.onnx.convert.float_model` returns it.
        table: Its integers.

    Raises:
        ExportError: The graph's layers are not the table's.
    """
    graph = OnnxGraph.of(model)
    layers = {node.output[0]: layer for layer, node in _matched(graph, table)}
    return _IntegerPlacement(graph, layers, _scales(graph, table)).apply(model)


def keras_layout(graph: OnnxGraph, node: onnx.NodeProto, weight: NDArray[Any]) -> NDArray[Any]:
    """Return a weighted node's weight in the layout of the Keras layer that it comes from."""
    if node.op_type != "Conv":
        return weight.T if attribute(node, "transB", 0) else weight
    depthwise = attribute(node, "group", 1) > 1
    return np.asarray(weight.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0)))


def _matched(graph: OnnxGraph, table: Quantisation) -> Iterator[tuple[KerasLayer, onnx.NodeProto]]:
    for layer, node in pairs("layers", table.layers, list(graph.weighted())):
        require_weights(layer, keras_layout(graph, node, graph.constant(node.input[1])), layer.kernel)
        yield layer, node


def _scales(graph: OnnxGraph, table: Quantisation) -> dict[str, float]:
    """Return the scale of each tensor of the graph that is rounded."""
    names: dict[str, str] = {}
    for layer, node in _matched(graph, table):
        names[node.input[0]] = layer.input
        clips = [reader for reader in graph.readers(node.output[0]) if reader.op_type == "Clip"]
        stored = clips[0] if layer.output != layer.name else node
        names[stored.output[0]] = layer.output
    for total, node in pairs("sums", table.sums, list(graph.residual_adds())):
        names[node.output[0]] = total.name
    return {tensor: table.scales[name] for tensor, name in names.items() if name in table.scales}


@dataclass
class _IntegerPlacement:
    """A float graph being rewritten: int8 weights, a pair behind each tensor in `scales`."""

    graph: OnnxGraph
    layers: dict[str, KerasLayer]
    scales: dict[str, float]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    reads: dict[str, str] = field(default_factory=dict)

    def apply(self, model: onnx.ModelProto) -> onnx.ModelProto:
        import onnx
        from onnx import numpy_helper

        for node in self.graph.nodes:
            self._take(node)
        result = onnx.ModelProto()
        result.CopyFrom(model)
        del result.graph.node[:]
        result.graph.node.extend(self.nodes)
        result.graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in self.constants.items())
        drop_unused_constants(result)
        return result

    def _take(self, node: onnx.NodeProto) -> None:
        copy, name = type(node)(), node.output[0]
        copy.CopyFrom(node)
        copy.input[:] = [self.reads.get(read, read) for read in node.input]
        if (layer := self.layers.get(name)) is not None and layer.grid is not None:
            copy.input[1] = self._weight(node, layer.grid.codes, layer.grid.scale)
        self.nodes.append(copy)
        if name in self.scales:
            step = self._step(name, np.float32(self.scales[name]))
            self._add("QuantizeLinear", [name, *step], f"{name}_codes")
            self.reads[name] = self._add("DequantizeLinear", [f"{name}_codes", *step], f"{name}_values")

    def _weight(self, node: onnx.NodeProto, codes: NDArray[np.int8], scale: NDArray[np.float32]) -> str:
        name = f"{node.output[0]}_weight"  # nodes may share a constant, but not its codes
        depthwise = attribute(node, "group", 1) > 1
        self.constants[f"{name}_codes"] = codes.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        return self._add("DequantizeLinear", [f"{name}_codes", *self._step(name, scale)], f"{name}_values", axis=0)

    def _step(self, name: str, scale: Any) -> tuple[str, str]:
        """Add the scale and the zero-point of some codes; return their names."""
        self.constants[f"{name}_scale"] = np.asarray(scale, np.float32)
        self.constants[f"{name}_zero"] = np.zeros(np.shape(scale), np.int8)
        return f"{name}_scale", f"{name}_zero"

    def _add(self, kind: str, inputs: list[str], result: str, **attributes: int) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [result], name=result, **attributes))
        return result
