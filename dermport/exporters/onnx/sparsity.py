"""The 2:4 pattern, looked for in the ONNX graph itself: what TensorRT's sparse kernels need.

Of every four weights that follow each other along the input channels, at most two are not zero, for each output channel
(NVIDIA, "Working with Quantized Types" and "Structured Sparsity" in TensorRT's documentation; Mishra et al. 2021,
arXiv:2104.08378).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dermport.exporters.onnx.graph import OnnxGraph, attribute

if TYPE_CHECKING:
    import onnx

_GROUP, _MOST = 4, 2


def has_pattern(model: onnx.ModelProto) -> bool:
    """Return whether all pointwise convolutions that can have the pattern have it, and there are some."""
    graph = OnnxGraph.of(model)
    return any(True for _ in _pointwise(graph)) and not pattern_violations(model)


def pattern_violations(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the pointwise convolutions that lack the pattern, one line each, which names the first place.

    Those whose input channels are no multiple of four cannot have it, and are passed over.
    """
    graph = OnnxGraph.of(model)
    return tuple(line for node in _pointwise(graph) for line in _violation(graph, node))


def _pointwise(graph: OnnxGraph) -> Iterator[onnx.NodeProto]:
    for node in graph.weighted():
        weight = graph.before_qdq(node.input[1])
        if node.op_type == "Conv" and attribute(node, "group", 1) == 1 and weight in graph.initializers:
            inputs, *window = graph.initializers[weight].dims[1:]
            if window == [1, 1] and inputs % _GROUP == 0:
                yield node


def _violation(graph: OnnxGraph, node: onnx.NodeProto) -> Iterator[str]:
    weight = graph.constant(graph.before_qdq(node.input[1]))
    groups = weight.reshape(len(weight), -1, _GROUP)
    counts = np.count_nonzero(groups, axis=2)
    broken = np.argwhere(counts > _MOST)
    if len(broken):
        output, group = (int(index) for index in broken[0])
        yield (
            f"Conv {node.name!r}: {counts[output, group]} of the weights {_GROUP * group} to "
            f"{_GROUP * group + _GROUP - 1} of output channel {output} are not zero"
        )
