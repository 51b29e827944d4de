"""TensorRT's Q/DQ rules, held against an ONNX graph itself (:mod:`.exporters.onnx.qdq` says where they come from)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dermport.errors import ExportError
from dermport.exporters.onnx.graph import OnnxGraph, attribute, channel_axis

if TYPE_CHECKING:
    import onnx

OPSETS = range(13, 18)
_QDQ = ("QuantizeLinear", "DequantizeLinear")


def require_qdq(model: onnx.ModelProto, *, mixed: bool = False) -> None:
    """Refuse a Q/DQ graph that breaks a rule.

    Args:
        model: The graph.
        mixed: Whether layers may stay in float whole, and sums read two quantised inputs, as in the form that an
            integer model gives (:mod:`dermport.exporters.integer.onnx`).

    Raises:
        ExportError: The message lists every violation with its node.
    """
    if found := violations(model, mixed=mixed):
        raise ExportError("The int8 graph breaks TensorRT's Q/DQ rules:\n  " + "\n  ".join(found))


def violations(model: onnx.ModelProto, *, mixed: bool = False) -> tuple[str, ...]:
    """Return what in `model` breaks the rules, one line each, naming the node; empty if nothing does.

    `mixed` is as :func:`require_qdq` has it.
    """
    graph = OnnxGraph.of(model)
    weighted = [node for node in graph.weighted() if not mixed or graph.writer(node.input[1]) == "DequantizeLinear"]
    return (
        *opset_violations(model),
        *(line for node in weighted for line in _weighted(graph, node)),
        *(line for node in graph.residual_adds() if not mixed for line in _residual(graph, node)),
        *(line for node in graph.nodes if node.op_type in _QDQ for line in _pair(graph, node)),
    )


def opset_violations(model: onnx.ModelProto) -> Iterator[str]:
    """Yield what the graph uses beside the opsets that every runtime of ours reads."""
    for entry in model.opset_import:
        if entry.domain:
            yield f"operator set {entry.domain!r} is not ONNX's own"
        elif entry.version not in OPSETS:
            yield f"opset {entry.version} is not in {OPSETS.start}..{OPSETS.stop - 1}"


def _weighted(graph: OnnxGraph, node: onnx.NodeProto) -> Iterator[str]:
    activation, weight = node.input[0], node.input[1]
    if graph.writer(activation) != "DequantizeLinear":
        yield f"{node.op_type} {node.name!r}: its activation {activation!r} is not quantised"
    if graph.writer(weight) != "DequantizeLinear":
        yield f"{node.op_type} {node.name!r}: its weight {weight!r} is not quantised"
    else:
        yield from weight_violations(graph, node, graph.producers[weight])
    if len(node.input) == 3 and node.input[2] not in graph.initializers:
        yield f"{node.op_type} {node.name!r}: its bias {node.input[2]!r} is not a float constant"
    if _clipped_through_pair(graph, node.output[0]):
        yield f"{node.op_type} {node.name!r}: a Q/DQ pair stands between it and its relu6"


def weight_violations(graph: OnnxGraph, node: onnx.NodeProto, pair: onnx.NodeProto) -> Iterator[str]:
    """Yield where the weight that `pair` dequantises for `node` is no constant with a scale for each output channel."""
    source = graph.before_qdq(node.input[1])
    if source not in graph.initializers:
        yield f"{node.op_type} {node.name!r}: its weight {source!r} is not a constant"
        return
    axis, shape = channel_axis(node), tuple(graph.initializers[source].dims)
    if tuple(graph.initializers[pair.input[1]].dims) != (shape[axis],):
        yield f"{node.op_type} {node.name!r}: the scales of its weight are not one per output channel ({shape[axis]})"
    elif attribute(pair, "axis", 1) != axis:
        yield f"{node.op_type} {node.name!r}: its weight is scaled along axis {attribute(pair, 'axis', 1)}, not {axis}"


def _residual(graph: OnnxGraph, node: onnx.NodeProto) -> Iterator[str]:
    skip = graph.residual_input(node)
    if graph.writer(node.input[skip]) != "DequantizeLinear":
        yield f"Add {node.name!r}: its residual input {node.input[skip]!r} is not quantised"
    if graph.writer(node.input[1 - skip]) in _QDQ:
        yield f"Add {node.name!r}: a Q/DQ pair keeps its other input {node.input[1 - skip]!r} from being fused"


def _pair(graph: OnnxGraph, node: onnx.NodeProto) -> Iterator[str]:
    missing = [name for name in node.input[1:3] if name not in graph.initializers]
    if missing or len(node.input) != 3:
        yield f"{node.op_type} {node.name!r}: scale and zero-point must be constants"
        return
    scale, zero = (graph.constant(name) for name in node.input[1:3])
    if zero.dtype != np.int8:
        yield f"{node.op_type} {node.name!r}: it quantises to {zero.dtype}, not int8"
    if np.any(zero):
        yield f"{node.op_type} {node.name!r}: its zero-point is not 0"
    if not np.all(scale > 0):
        yield f"{node.op_type} {node.name!r}: a scale is not positive"
    if scale.ndim and graph.before_qdq(node.output[0]) not in graph.initializers:
        yield f"{node.op_type} {node.name!r}: an activation is scaled per channel, not per tensor"


def _clipped_through_pair(graph: OnnxGraph, output: str) -> bool:
    return any(
        node.op_type in ("Clip", "Relu")
        and graph.writer(node.input[0]) in _QDQ
        and graph.before_qdq(node.input[0]) == output
        for node in graph.nodes
    )
