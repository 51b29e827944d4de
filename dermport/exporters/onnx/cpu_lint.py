"""The rules of the int8 form for CPUs, held against an ONNX graph itself (:mod:`.exporters.onnx.cpu` says why)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dermport.errors import ExportError
from dermport.exporters.onnx.codes import pair_sums
from dermport.exporters.onnx.convert import INPUT
from dermport.exporters.onnx.graph import OnnxGraph, shape_tensors
from dermport.exporters.onnx.lint import opset_violations, weight_violations

if TYPE_CHECKING:
    import onnx

LARGEST_PAIR = 128  # two uint8 activations times neighbouring weights: 255 * 128 < 2^15
_MOVES = ("QuantizeLinear", "DequantizeLinear", "Transpose")


def require_integers(model: onnx.ModelProto) -> None:
    """Refuse a graph that a CPU would compute partly in float.

    Raises:
        ExportError: The message lists every violation with its node.
    """
    if found := violations(model):
        raise ExportError("The int8 graph breaks the rules for CPUs:\n  " + "\n  ".join(found))


def violations(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return what in `model` breaks the rules, one line each, naming the node; empty if nothing does."""
    graph = OnnxGraph.of(model)
    found = (*opset_violations(model), *(line for node in graph.nodes for line in _codes(graph, node)))
    if found:  # the other rules take codes for sound
        return found
    return (
        *(line for node in graph.weighted() for line in _weighted(graph, node)),
        *_results(graph, shape_tensors(model)),
    )


def _weighted(graph: OnnxGraph, node: onnx.NodeProto) -> Iterator[str]:
    names = dict(zip(("activation", "weight", "bias"), node.input, strict=False))
    loose = {part: name for part, name in names.items() if graph.writer(name) != "DequantizeLinear"}
    for part, name in loose.items():
        yield f"{node.op_type} {node.name!r}: its {part} {name!r} is not quantised"
    if not loose:
        yield from weight_violations(graph, node, graph.producers[node.input[1]])
        yield from _pairs(graph, node)
        yield from _bias(graph, node)


def _pairs(graph: OnnxGraph, node: onnx.NodeProto) -> Iterator[str]:
    source = graph.before_qdq(node.input[1])
    if source in graph.initializers:
        largest = pair_sums(node, graph.constant(source).astype(np.int32)).max()
        if largest > LARGEST_PAIR:
            yield f"{node.op_type} {node.name!r}: neighbouring weights add up to {largest}, more than {LARGEST_PAIR}"


def _bias(graph: OnnxGraph, node: onnx.NodeProto) -> Iterator[str]:
    if len(node.input) < 3:
        return
    scales = [graph.constant(graph.producers[name].input[1]) for name in node.input]
    if graph.before_qdq(node.input[2]) not in graph.initializers:
        yield f"{node.op_type} {node.name!r}: its bias {node.input[2]!r} is not a constant"
    elif not np.allclose(scales[2], scales[0] * scales[1], rtol=1e-5, atol=0):
        yield f"{node.op_type} {node.name!r}: a step of its bias is not its input's scale times its weight's"


def _results(graph: OnnxGraph, shapes: set[str]) -> Iterator[str]:
    """What an operator writes must be quantised before anything reads it; so must the pixels.

    The last layer gives logits, or a map of them, in float32.
    """
    *_, head = graph.weighted()
    computed = [(n.op_type, name) for n in graph.nodes[: graph.positions[head.output[0]]] for name in n.output]
    kept = [(kind, name) for kind, name in computed if kind not in _MOVES and name not in shapes]
    for kind, name in [("graph input", INPUT), *kept]:
        for reader in graph.readers(name):
            if reader.op_type != "QuantizeLinear":
                yield f"{reader.op_type} {reader.name!r}: it reads {name!r} ({kind}), which is not quantised"


def _codes(graph: OnnxGraph, node: onnx.NodeProto) -> Iterator[str]:
    if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
        return
    where = f"{node.op_type} {node.name!r}"
    if any(name not in graph.initializers for name in node.input[1:]):
        yield f"{where}: scale and zero-point must be constants"
        return
    scale = graph.constant(node.input[1])
    if not np.all(scale > 0):
        yield f"{where}: a scale is not positive"
    if node.op_type == "DequantizeLinear" and node.input[0] in graph.initializers:
        yield from _constant(graph, node, where)
    elif len(node.input) < 3 or graph.constant(node.input[2]).dtype != np.uint8:
        yield f"{where}: an activation is not uint8"
    elif scale.ndim:
        yield f"{where}: an activation is scaled per channel, not per tensor"


def _constant(graph: OnnxGraph, node: onnx.NodeProto, where: str) -> Iterator[str]:
    kind = graph.constant(node.input[0]).dtype
    if kind not in (np.int8, np.int32):
        yield f"{where}: a constant is {kind}, neither int8 (weights) nor int32 (biases)"
    if len(node.input) > 2 and np.any(graph.constant(node.input[2])):
        yield f"{where}: the zero-point of a constant is not 0"
