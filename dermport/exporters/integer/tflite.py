"""TFLite's form of an integer model: the float file, quantised by litert-quantizer, with every number from the table.

The library places the conversions and changes types; scales, codes and biases are then set to those of the table, since
its own arithmetic can differ in the last place. Layers, sums and ends that the table leaves in float stay so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.integer.grid import bias_step
from dermport.exporters.integer.pattern import KerasLayer, Quantisation, pairs, require_weights
from dermport.exporters.tflite.calibrate import Range
from dermport.exporters.tflite.graph import TFLiteGraph
from dermport.exporters.tflite.quantize import end_rules, int8_rule, map_rules, quantised

_INT8 = 9  # TensorType of TFLite's schema


def integer_form(model: bytes, table: Quantisation, *, uint8_ends: bool = False) -> bytes:
    """Return the int8 form of a float model, with the table's integers.

    Args:
        model: The float32 TFLite bytes of the plain model.
        table: Its integers.
        uint8_ends: Whether it takes uint8 pixels and gives uint8 probabilities; what is between them is the same.

    Raises:
        ExportError: The file's layers are not the table's.
    """
    graph = TFLiteGraph(model)
    places = _Places.of(graph, table)
    rules = [
        int8_rule("*", symmetric=True, regex=f"^{re.escape(graph.name_of(operator.outputs[0]))}")
        for operator in places.operators
    ]
    ranges = {name: _range(-127 * scale, 127 * scale) for name, scale in places.scales.items()}
    image, probabilities = (graph.name_of(index) for index in graph.ends)
    ends = {image: _range(0, 255), probabilities: _range(0, 1)}
    result = TFLiteGraph(
        quantised(model, [*rules, *end_rules(uint8_ends=uint8_ends), *map_rules(graph)], ranges | ends)
    )
    _read_rounded(result)
    _set_scales(result, places.scales)
    _set_weights(result, table)
    return result.to_bytes()


@dataclass
class _Places:
    """Where a float file holds what a table speaks of.

    Attributes:
        scales: The scale of each tensor that becomes int8, by the tensor's name.
        operators: The operators that compute in integers.
    """

    scales: dict[str, float] = field(default_factory=dict)
    operators: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, graph: TFLiteGraph, table: Quantisation) -> _Places:
        places = cls()
        for layer, operator in pairs("layers", table.layers, graph.weighted()):
            weights = graph.constant(graph.tensor(operator.inputs[1]))
            require_weights(layer, weights, np.moveaxis(layer.kernel, -1, 0))
            places._take(graph, table, layer, operator)
        for total, operator in pairs("sums", table.sums, graph.sums()):
            places._note(graph, operator.outputs[0], table, total.name)
            places.operators += [operator] if total.integer else []
        return places

    def _take(self, graph: TFLiteGraph, table: Quantisation, layer: KerasLayer, operator: Any) -> None:
        self._note(graph, operator.outputs[0], table, layer.output)
        for step in _with_padding(graph, operator):
            self._note(graph, step.inputs[0], table, layer.input)
            self.operators += [] if layer.grid is None else [step]

    def _note(self, graph: TFLiteGraph, index: int, table: Quantisation, name: str) -> None:
        if name in table.scales:
            self.scales[graph.name_of(index)] = table.scales[name]


def _with_padding(graph: TFLiteGraph, operator: Any) -> Iterator[Any]:
    """Yield an operator and the padding before it."""
    yield operator
    before = graph.writer(operator.inputs[0])
    if before is not None and graph.type_of(before) == "PAD":
        yield from _with_padding(graph, before)


def _read_rounded(graph: TFLiteGraph) -> None:
    """Let what computes in float read a tensor rounded where others read it as int8: so it is in Keras.

    The library gives it the tensor as it was before rounding.
    """
    for quantisation in [operator for operator in graph.operators if graph.type_of(operator) == "QUANTIZE"]:
        source = quantisation.inputs[0]
        readers = [o for o in graph.operators if source in o.inputs and graph.type_of(o) != "QUANTIZE"]
        rounded = graph.add_dequantisation(quantisation) if readers else source
        for reader in readers:
            reader.inputs = [rounded if index == source else index for index in reader.inputs]


def _set_scales(graph: TFLiteGraph, scales: Mapping[str, float]) -> None:
    """Give each int8 tensor its scale, and 0 as its zero-point; a QUANTIZE operator's goes by what it rounds."""
    for operator in graph.operators:
        index = operator.outputs[0]
        named = operator.inputs[0] if graph.type_of(operator) == "QUANTIZE" else index
        if graph.tensor(index).type == _INT8:
            _set(graph.tensor(index), np.array([scales[graph.name_of(named)]], np.float32))


def _set_weights(graph: TFLiteGraph, table: Quantisation) -> None:
    for layer, operator in pairs("layers", table.layers, graph.weighted()):
        if layer.grid is None:
            continue
        weights, *biases = (graph.tensor(index) for index in operator.inputs[1:] if index >= 0)
        graph.constant(weights)[...] = np.moveaxis(layer.grid.codes, -1, 0)
        _set(weights, layer.grid.scale)
        for bias in biases:  # one of zeros is left out by the converter
            graph.constant(bias)[...] = layer.grid.bias
            _set(bias, bias_step(layer.grid.scale, table.scales[layer.input]).astype(np.float32))


def _set(tensor: Any, scale: NDArray[np.float32]) -> None:
    tensor.quantization.scale, tensor.quantization.zeroPoint = scale, np.zeros(len(scale), np.int64)


def _range(low: float, high: float) -> Range:
    return {"min": np.array([low], np.float32), "max": np.array([high], np.float32)}
