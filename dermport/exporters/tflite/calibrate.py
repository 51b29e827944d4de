"""What a model's tensors hold when photos go through it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.tflite.graph import TFLiteGraph

Range = dict[str, NDArray[np.float32]]


class Probe:
    """A TFLite model that lets its intermediate tensors be read.

    Args:
        model: The model's bytes; its input is float32 [1, S, S, 3].
    """

    def __init__(self, model: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that keeping all tensors takes memory
            self._interpreter = Interpreter(model_content=model, experimental_preserve_all_tensors=True)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._details: dict[str, dict[str, Any]] = {d["name"]: d for d in self._interpreter.get_tensor_details()}

    def run(self, photos: NDArray[np.uint8]) -> Iterator[None]:
        """Put photos uint8 [N, S, S, 3] through the model; after each, its tensors can be read."""
        for photo in photos:
            self.invoke({self._input: photo[None].astype(np.float32)})
            yield

    def invoke(self, inputs: Mapping[int, NDArray[Any]]) -> None:
        """Run the model once on its input tensors, by index, as they are stored."""
        for index, codes in inputs.items():
            self._interpreter.set_tensor(index, codes)
        self._interpreter.invoke()

    def stored(self, index: int) -> NDArray[Any]:
        """Return a tensor of the last run by its index, as it is stored."""
        return np.asarray(self._interpreter.get_tensor(index))

    def value(self, name: str) -> NDArray[np.float32]:
        """Return a tensor of the last photo; a quantised one as the numbers that its codes stand for."""
        detail = self._details[name]
        scale, zero_point = detail["quantization"]
        value = self._interpreter.get_tensor(detail["index"]).astype(np.float32)
        return np.asarray((value - zero_point) * scale if scale else value)


class Flow:
    """Photos on their way through a model, layer by layer: nothing before the layer in question is computed again.

    Args:
        graph: The model; a layer's constants may be changed once its means are known.
        photos: uint8 [N, S, S, 3].
    """

    def __init__(self, graph: TFLiteGraph, photos: NDArray[np.uint8]) -> None:
        self._graph, self._passed = graph, 0
        self._held = [{graph.ends[0]: photo[None].astype(np.float32)} for photo in photos]

    def means(self, operator: Any) -> NDArray[np.float64]:
        """Return the mean of each channel of an operator's output over photos and places, float64 [channels].

        Operators are asked for in the order in which they run.
        """
        operators, (output,) = self._graph.operators, operator.outputs
        place = operators.index(operator)
        reached = operators[self._passed : place + 1]
        needed = {index for later in operators[place:] for index in later.inputs}
        held = self._held[0].keys()
        kept = {index for earlier in reached[:-1] for index in earlier.outputs if index in needed}
        # As outputs: of what leads to none, TFLite may keep nothing.
        probe = Probe(self._graph.part(reached, list(held), [*sorted(kept), output]))
        total, name = np.zeros(()), self._graph.name_of(output)
        for number, inputs in enumerate(self._held):
            probe.invoke(inputs)
            value = probe.value(name)
            total = total + value.reshape(-1, value.shape[-1]).mean(axis=0, dtype=np.float64)
            self._held[number] = {index: inputs[index] for index in held & needed} | {
                index: probe.stored(index) for index in kept
            }
        self._passed = place
        return np.asarray(total / len(self._held))


def ranges(model: bytes, photos: NDArray[np.uint8]) -> dict[str, Range]:
    """Return the smallest and largest value of each computed tensor over all photos, as litert-quantizer takes them.

    The model's input is given as 0..255 whatever the photos hold, so that one step of its codes is one level.

    Args:
        model: A float32 TFLite model's bytes.
        photos: Calibration photos, uint8 [N, S, S, 3].
    """
    graph = TFLiteGraph(model)
    names = [graph.tensor(index).name.decode() for operator in graph.operators for index in operator.outputs]
    low = dict.fromkeys(names, np.inf)
    high = dict.fromkeys(names, -np.inf)
    probe = Probe(model)
    for _ in probe.run(photos):
        for name in names:
            value = probe.value(name)
            low[name], high[name] = min(low[name], float(value.min())), max(high[name], float(value.max()))
    image = graph.tensor(graph.model.subgraphs[0].inputs[0]).name.decode()
    found = {image: _range(0, 255)} | {name: _range(low[name], high[name]) for name in names}
    if graph.map_index is not None:  # the softmax stays in float, but a uint8 output's step is TFLite's own: 1 / 256
        found[graph.name_of(graph.ends[1])] = _range(0, 255 / 256)
    return found


def _range(low: float, high: float) -> Range:
    return {"min": np.array([low], np.float32), "max": np.array([high], np.float32)}
