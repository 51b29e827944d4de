"""The int8 form for CPUs: ONNX Runtime computes everything between the pixels and the softmax in integers.

ONNX Runtime replaces an operator by its integer twin (QLinearConv, QLinearAdd, QGemm ...) only where everything that
it reads comes from a DequantizeLinear and what it writes goes to a QuantizeLinear. TensorRT's form
(:mod:`dermport.exporters.onnx.qdq`) leaves relu6 and the sums of skip connections between the two, and on a CPU takes
more than twice float32's time. So here:

- Every tensor is uint8 with its own zero-point. Past relu6 that is 0, and rounding saturates where relu6 would clip:
  no Clip is left.
- Both inputs of a residual Add are quantised, and so are pooling and the head.
- Biases are int32, in steps of input scale times weight scale; ONNX Runtime 1.20 fuses no others.
- The codes of the input are the pixels themselves: normalising them is left to the first scale and bias.
- Weights are bounded so that no CPU's products saturate (:func:`dermport.exporters.onnx.codes.pair_sums`): old and new
  ones give the same answers.

Weights are per channel and symmetric, ranges min-max, biases corrected (:mod:`dermport.exporters.onnx.bias`).
:mod:`dermport.exporters.onnx.cpu_lint` proves the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError
from dermport.exporters.onnx.bias import correct_biases
from dermport.exporters.onnx.calibrate import ranges
from dermport.exporters.onnx.codes import Codes, pair_sums
from dermport.exporters.onnx.convert import INPUT
from dermport.exporters.onnx.graph import (
    WEIGHTED,
    OnnxGraph,
    channel_axis,
    dequantised,
    drop_unused_constants,
    shape_tensors,
)

if TYPE_CHECKING:
    import onnx

_LARGEST_BIAS = 2**30  # half of what int32 holds: corrections come on top


def integer_form(model: onnx.ModelProto, photos: NDArray[np.uint8]) -> onnx.ModelProto:
    """Return the form of a float32 graph that CPUs compute in integers.

    Args:
        model: What :func:`dermport.exporters.onnx.convert.float_model` returns.
        photos: Calibration photos, uint8 [N, S, S, 3].

    Raises:
        ExportError: There are no photos, or something else than normalisation stands before the first convolution.
    """
    if not len(photos):
        raise ExportError("int8 needs calibration photos, and there are none.", remedy="Train on a data set first.")
    graph = OnnxGraph.of(model)
    pixels = _Pixels.read(model, graph, photos.shape[1:])
    codes = {pixels.tensor: pixels.codes} | _activations(model, graph, photos)
    result = _Placement(graph, codes).apply(model)
    correct_biases(model, result, photos)
    _shift_first_bias(result, pixels.offset)
    _make_biases_integer(result)
    drop_unused_constants(result)
    return result


@dataclass(frozen=True)
class _Pixels:
    """What normalisation makes of pixels, so that a pixel can be its own code.

    Attributes:
        tensor: What the first convolution reads.
        codes: Its codes; code p stands for pixel p.
        offset: By how much the normalised pixel exceeds what its code stands for: a zero-point is an integer, and the
            grey that normalises to 0 need not be (127.5).
    """

    tensor: str
    codes: Codes
    offset: float

    @classmethod
    def read(cls, model: onnx.ModelProto, graph: OnnxGraph, shape: tuple[int, ...]) -> _Pixels:
        tensor = next(graph.weighted()).input[0]
        before = {node.op_type for node in graph.nodes[: graph.positions[tensor] + 1]}
        black, white = (ranges(model, [tensor], np.full((1, *shape), level, np.uint8))[tensor] for level in (0, 255))
        if before - {"Mul", "Add", "Sub", "Div", "Transpose"} or black[0] != black[1] or white[0] != white[1]:
            raise ExportError(f"The photo goes through more than one normalisation ({', '.join(sorted(before))}).")
        scale = (white[0] - black[0]) / 255
        zero = int(np.clip(-black[0] / scale, 0, 255))
        return cls(tensor, Codes(np.array(scale, np.float32), np.array(zero, np.uint8)), black[0] + zero * scale)


def _activations(model: onnx.ModelProto, graph: OnnxGraph, photos: NDArray[np.uint8]) -> dict[str, Codes]:
    """Return the codes of every tensor between the first convolution and the head's result that anything keeps.

    What goes through relu6 is kept only past it.
    """
    weighted = [graph.positions[node.output[0]] for node in graph.weighted()]
    between = graph.nodes[weighted[0] : weighted[-1]]
    clipped = {node.input[0] for node in between if node.op_type == "Clip"}
    left = clipped | shape_tensors(model)
    found = ranges(model, [node.output[0] for node in between if node.output[0] not in left], photos)
    return {name: Codes.of_range(*ends) for name, ends in found.items()}


@dataclass
class _Placement:
    """A float graph being rewritten: int8 weights, a Q/DQ pair behind each tensor in `codes`, relu6 part of it."""

    graph: OnnxGraph
    codes: Mapping[str, Codes]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    reads: dict[str, str] = field(default_factory=dict)

    def apply(self, model: onnx.ModelProto) -> onnx.ModelProto:
        import onnx
        from onnx import numpy_helper

        first = self.graph.positions[next(self.graph.weighted()).output[0]]
        self._take_pixels(self.graph.nodes[:first])
        for node in self.graph.nodes[first:]:
            self._take(node)
        result = onnx.ModelProto()
        result.CopyFrom(model)
        del result.graph.node[:]
        result.graph.node.extend(self.nodes)
        result.graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in self.constants.items())
        return result

    def _take_pixels(self, before: Sequence[onnx.NodeProto]) -> None:
        """Quantise the pixels to themselves; normalisation falls away, what moves them stays."""
        self.constants |= {"pixel_scale": np.array(1, np.float32), "pixel_zero": np.array(0, np.uint8)}
        codes = self._add("QuantizeLinear", [INPUT, "pixel_scale", "pixel_zero"], "pixel_codes")
        for node in before:
            if node.op_type == "Transpose":
                self.nodes.append(_reading(node, {node.input[0]: codes}, f"{node.output[0]}_codes"))
                codes = f"{node.output[0]}_codes"
        last = before[-1].output[0]
        self.reads[last] = self._dequantised(codes, last, self.codes[last])

    def _take(self, node: onnx.NodeProto) -> None:
        source = result = node.output[0]
        if node.op_type == "Clip":
            source = node.input[0]
        else:
            weight = {node.input[1]: self._weight(node)} if node.op_type in WEIGHTED else {}
            self.nodes.append(_reading(node, self.reads | weight))
        if result in self.codes:
            self._add("QuantizeLinear", [source, f"{result}_scale", f"{result}_zero"], f"{result}_codes")
            self.reads[result] = self._dequantised(f"{result}_codes", result, self.codes[result])

    def _weight(self, node: onnx.NodeProto) -> str:
        name, axis = f"{node.output[0]}_weight", channel_axis(node)  # nodes may share a constant, but not its codes
        weight = self.graph.constant(node.input[1])
        scale = self._weight_scale(node, weight)
        codes = np.rint(weight / scale.reshape([-1 if i == axis else 1 for i in range(weight.ndim)]))
        self.constants[f"{name}_codes"] = codes.astype(np.int8)
        return self._dequantised(f"{name}_codes", name, Codes.symmetric(scale), axis=axis)

    def _weight_scale(self, node: onnx.NodeProto, weight: NDArray[Any]) -> NDArray[np.float32]:
        """Return the scale of each output channel: large enough for its weights, their pairs and its bias.

        Where batch normalisation has folded a channel's weights to nearly nothing (MobileNetV2's ImageNet weights
        have such channels), their own scale would be so small that the bias overflows int32.
        """
        bias = np.abs(self.graph.constant(node.input[2])) if len(node.input) == 3 else 0.0
        needed = bias / (_LARGEST_BIAS * self.codes[node.input[0]].scale)
        scale = np.maximum(np.maximum(pair_sums(node, weight) / 127, needed), 1e-12)
        return np.asarray(scale, np.float32)

    def _dequantised(self, source: str, name: str, codes: Codes, **attributes: int) -> str:
        self.constants |= {f"{name}_scale": codes.scale, f"{name}_zero": codes.zero}
        return self._add("DequantizeLinear", [source, f"{name}_scale", f"{name}_zero"], f"{name}_values", **attributes)

    def _add(self, kind: str, inputs: list[str], result: str, **attributes: int) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [result], name=result, **attributes))
        return result


def _reading(node: onnx.NodeProto, renamed: Mapping[str, str], result: str = "") -> onnx.NodeProto:
    copy = type(node)()
    copy.CopyFrom(node)
    copy.input[:] = [renamed.get(name, name) for name in node.input]
    copy.output[0] = result or node.output[0]
    return copy


def _shift_first_bias(model: onnx.ModelProto, offset: float) -> None:
    """Add what the codes of the input leave out; too much only at the borders, where padding is 0 either way."""
    from onnx import numpy_helper

    graph = OnnxGraph.of(model)
    node = next(graph.weighted())
    weight = dequantised(graph, graph.producers[node.input[1]])
    shift = (offset * weight.sum(axis=(1, 2, 3))).astype(np.float32)
    if len(node.input) < 3:
        node.input.append(f"{node.output[0]}_bias")
        model.graph.initializer.append(numpy_helper.from_array(shift, node.input[2]))
    else:
        bias = (graph.constant(node.input[2]) + shift).astype(np.float32)
        graph.initializers[node.input[2]].CopyFrom(numpy_helper.from_array(bias, node.input[2]))


def _make_biases_integer(model: onnx.ModelProto) -> None:
    """Turn each bias into int32, in steps of input scale times weight scale."""
    from onnx import helper, numpy_helper

    graph, limit = OnnxGraph.of(model), 2 * _LARGEST_BIAS - 1
    for node in graph.weighted():
        if len(node.input) < 3:
            continue
        name = node.input[2]
        scales = [graph.constant(graph.producers[source].input[1]) for source in node.input[:2]]
        scale = np.asarray(scales[0] * scales[1], np.float32)
        codes = np.rint(graph.constant(name) / scale.astype(np.float64)).clip(-limit, limit).astype(np.int32)
        constants = {f"{name}_codes": codes, f"{name}_scale": scale}
        model.graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in constants.items())
        node.input[2] = f"{name}_values"
        pair = helper.make_node("DequantizeLinear", list(constants), [node.input[2]], name=node.input[2], axis=0)
        model.graph.node.insert(0, pair)
