"""The graph rebuilt: every operator lowered in turn, constants folded on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ModelError
from dermport.importing.rebuild import convolutions, elementwise, shapes
from dermport.importing.rebuild.call import LOWERINGS, LoweredTensor, LoweringCall
from dermport.importing.rebuild.graph import ClassifierGraph, GraphNode, evaluated
from dermport.importing.rebuild.patterns import fused

if TYPE_CHECKING:
    import keras

TABLES = (convolutions, elementwise, shapes)  # each enters its lowerings


@dataclass(frozen=True)
class RebuiltNetwork:
    """A graph as functional Keras.

    Attributes:
        model: float32 [N, S, S, 3] to the graph's answer [N, C]; S is the graph's.
        values: What stands for each value of the graph that is computed, by its ONNX name, in order.
        operators: How many of each ONNX type the graph has, as it came.
    """

    model: keras.Model
    values: dict[str, LoweredTensor]
    operators: dict[str, int]


def rebuild(graph: ClassifierGraph, size: int) -> RebuiltNetwork:
    """Return a graph as functional Keras.

    Args:
        graph: The graph.
        size: Side S of its input, pixels.

    Raises:
        ModelError: An operator is not known, or used in a way that Keras has no layer for.
    """
    import keras

    whole, graph = graph, fused(graph)
    image = keras.Input((size, size, 3), name="image")
    rebuilder = _Rebuilder(graph, LoweredTensor(image, "NHWC" if graph.shape[-1] == 3 else "NCHW"))
    for node in graph.nodes:
        rebuilder.take(node)
    found = rebuilder.values.get(graph.output)
    if found is None or found.layout != "flat":
        raise ModelError(
            f"The model answers {list(found.shape) if found else 'a constant'}, not one value for each class.",
            remedy="Only image classifiers can be imported.",
        )
    operators = dict(sorted(Counter(node.type for node in whole.nodes).items()))
    return RebuiltNetwork(keras.Model(image, found.tensor, name="network"), rebuilder.values, operators)


class _Rebuilder:
    def __init__(self, graph: ClassifierGraph, image: LoweredTensor) -> None:
        self.constants: dict[str, NDArray[Any]] = dict(graph.constants)
        self.values: dict[str, LoweredTensor] = {graph.input: image}
        self._counts: Counter[str] = Counter()

    def take(self, node: GraphNode) -> None:
        if node.type == "Shape" and node.inputs[0] in self.values:
            self.constants[node.outputs[0]] = np.array(self.values[node.inputs[0]].shape, np.int64)
        elif all(name in self.constants for name in node.inputs if name):
            made = evaluated(node, [self.constants.get(name, np.empty(0)) for name in node.inputs])
            self.constants.update(zip(node.outputs, made, strict=True))
        else:
            self.values[node.outputs[0]] = self._lowered(node)

    def _lowered(self, node: GraphNode) -> LoweredTensor:
        lowering = LOWERINGS.get(node.type)
        if lowering is None:
            raise ModelError(
                f"The operator {node.type} ({node.name}) is not known: {', '.join(sorted(LOWERINGS))} are.",
                remedy="Export the classifier without it (post-processing and augmentation belong outside), or file an "
                "issue that names the operator.",
            )
        inputs = tuple(self.values.get(name, self.constants.get(name)) if name else None for name in node.inputs)
        return lowering(LoweringCall(node, inputs, self._counts))
