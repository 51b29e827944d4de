"""Operators that exporters wrote apart and Keras has in one: biases, GELU."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from dermport.importing.rebuild.graph import ClassifierGraph, GraphNode

Rewrite = Callable[[ClassifierGraph], ClassifierGraph]


def fused(graph: ClassifierGraph) -> ClassifierGraph:
    """Return the graph with a bias inside its convolution or dense layer, and each GELU as one operator."""
    for rewrite in (_with_biases, _with_gelu):
        graph = rewrite(graph)
    return graph


def _with_biases(graph: ClassifierGraph) -> ClassifierGraph:
    """MatMul + Add, and Conv + Add, are a Gemm and a Conv with a bias."""
    readers, writers = graph.readers(), _writers(graph)
    replaced: dict[str, GraphNode] = {}
    gone: set[str] = set()
    biases: dict[str, NDArray[np.float32]] = {}
    for node in graph.nodes:
        for name, other in _constant_operands(graph, node, "Add"):
            before = writers.get(other)
            if before is None or readers[other] != 1 or before.type not in ("MatMul", "Conv") or len(before.inputs) > 2:
                continue
            bias = _bias(graph, before, graph.constants[name])
            if bias is not None:
                biases[f"{name}/bias"] = bias
                kind = "Gemm" if before.type == "MatMul" else "Conv"
                inputs = (*before.inputs, f"{name}/bias")
                replaced[node.name] = GraphNode(kind, before.name, inputs, node.outputs, before.attributes)
                gone.add(before.name)
    return graph.with_nodes((replaced.get(node.name, node) for node in graph.nodes if node.name not in gone), biases)


def _bias(graph: ClassifierGraph, node: GraphNode, added: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return a constant as a bias, [channels]; None where it is none."""
    weights = graph.constants.get(node.inputs[1])
    if weights is None:
        return None
    if node.type == "MatMul":
        fits = weights.ndim == 2 and added.shape[-1:] == weights.shape[-1:] and added.size == weights.shape[-1]
    else:
        fits = added.size == len(weights) and added.ndim >= 3 and added.shape[-3] == len(weights)
    return added.reshape(-1) if fits else None


def _with_gelu(graph: ClassifierGraph) -> ClassifierGraph:
    """x * 0.5 * (1 + erf(x / sqrt 2)) in whatever order it is multiplied (Hendrycks and Gimpel 2016)."""
    nodes = {node.name: node for node in graph.nodes}
    for erf in [node for node in graph.nodes if node.type == "Erf"]:
        if found := _gelu(graph, erf):
            source, members = found
            last = members[-1]
            for member in members[:-1]:
                nodes.pop(member.name, None)
            nodes[last.name] = GraphNode("Gelu", erf.name, (source,), last.outputs, {})
    return graph.with_nodes(nodes.values(), {})


def _gelu(graph: ClassifierGraph, erf: GraphNode) -> tuple[str, list[GraphNode]] | None:
    """Return what GELU is computed of, and its nodes, the last of them last; None where it is none."""
    scaled = _writers(graph).get(erf.inputs[0])
    source = _scaled_by(graph, scaled, 0.5**0.5) if scaled else None
    one_more = _only_reader(graph, erf)
    if scaled is None or source is None or one_more is None or one_more.type != "Add":
        return None
    half = next((node for node in graph.nodes if node.type == "Mul" and _scaled_by(graph, node, 0.5) == source), None)
    missing = {"x", "0.5"}
    members, last = [scaled, erf], one_more
    while missing:
        members, product = [*members, last], _only_reader(graph, last)
        if product is None or product.type != "Mul":
            return None
        [other] = [name for name in product.inputs if name != last.outputs[0]] or [""]
        if half is not None and other == half.outputs[0]:
            members, missing = [*members, half], set()
        else:
            missing -= {"x"} if other == source else {"0.5"} if _is_constant(graph, other, 0.5) else missing
            if len(missing) == 2 or (other != source and not _is_constant(graph, other, 0.5)):
                return None
        last = product
    return source, [*members, last]


def _only_reader(graph: ClassifierGraph, node: GraphNode) -> GraphNode | None:
    found = [one for one in graph.nodes if node.outputs[0] in one.inputs]
    return found[0] if len(found) == 1 else None


def _is_constant(graph: ClassifierGraph, name: str, value: float) -> bool:
    return name in graph.constants and np.allclose(graph.constants[name], value, rtol=1e-3)


def _scaled_by(graph: ClassifierGraph, node: GraphNode, factor: float) -> str | None:
    """Return what a node multiplies by a factor; None where it does something else."""
    for constant, other in _constant_operands(graph, node, node.type):
        value = factor if node.type == "Mul" else 1 / factor
        if node.type in ("Mul", "Div") and _is_constant(graph, constant, value):
            return other
    return None


def _writers(graph: ClassifierGraph) -> dict[str, GraphNode]:
    return {name: node for node in graph.nodes for name in node.outputs}


def _constant_operands(graph: ClassifierGraph, node: GraphNode, kind: str) -> Iterator[tuple[str, str]]:
    """Yield (a constant, the other operand) of a node of a kind that has two, one of them constant."""
    if node.type == kind and len(node.inputs) == 2:
        first, second = node.inputs
        if second in graph.constants and first not in graph.constants:
            yield second, first
        elif first in graph.constants and second not in graph.constants and kind != "Div":
            yield first, second
