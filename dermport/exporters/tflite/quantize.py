"""Smaller precisions of a float32 TFLite model, by litert-quantizer (the successor of ``tf.lite``'s quantisation).

Beside being the maintained one, it quantises the finished float model, so that all precisions share one conversion;
its uint8 input is exact (scale 1, zero-point 0); and the ranges of activations are ours to give.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError
from dermport.exporters.tflite.bias import corrected_biases, make_room_for_biases, with_biases
from dermport.exporters.tflite.calibrate import Range, ranges
from dermport.exporters.tflite.graph import TFLiteGraph

_EVERY = "*"
_ENDS = ("INPUT", "OUTPUT")
_WEIGHTS8 = {"num_bits": 8, "symmetric": True, "granularity": "CHANNELWISE", "dtype": "INT"}
_WEIGHTS16 = {"num_bits": 16, "symmetric": True, "granularity": "CHANNELWISE", "dtype": "FLOAT"}


def float16_weights(model: bytes, photos: NDArray[np.uint8]) -> bytes:
    """Return the model with float16 weights and corrected float32 biases; it computes in float32 (on GPUs, in float16).

    Rounding to 11 bits is not nothing where weights are large and cancel each other out: MobileNetV2's first depthwise
    convolution, its batch normalisation folded, has weights of up to 55, and by itself moved the probabilities of a
    model trained on HAM10000 by 0.0022 on average. What it moves is the mean, so that the bias can take it back: top-1
    agreement on 1,640 test photos went from 0.989 to 0.998.

    Args:
        model: The float32 model's bytes.
        photos: Calibration photos, uint8 [N, S, S, 3].

    Raises:
        ExportError: There are no photos.
    """
    graph = TFLiteGraph(model)
    for layer in graph.layers():
        layer.weights[...] = layer.weights.astype(np.float16)
    rounded = graph.to_bytes()
    model = with_biases(rounded, corrected_biases(model, rounded, some_photos(photos)))
    rule = _rule(_EVERY, "float_casting", _WEIGHTS16, compute_precision="FLOAT", explicit_dequantize=True)
    return quantised(model, [rule], None)


@dataclass(frozen=True)
class Int8:
    """A model that was prepared and calibrated once, for both forms of int8.

    Attributes:
        model: The float32 model's bytes, its weights prepared.
        ranges: The range of each activation.
        biases: Corrected int32 biases by output tensor.
    """

    model: bytes
    ranges: Mapping[str, Range]
    biases: Mapping[str, NDArray[Any]]

    @classmethod
    def calibrated(cls, model: bytes, photos: NDArray[np.uint8], correction_photos: int) -> Int8:
        """Calibrate a float32 model on photos uint8 [N, S, S, 3] and correct its biases on the first few of them.

        Weights become int8 with a scale for each output channel, activations int8 with a scale for each tensor
        (smallest to largest value seen), biases int32.
        """
        measured = ranges(model, some_photos(photos))
        prepared = make_room_for_biases(model, measured)
        plain = quantised(prepared, _int8_rules(prepared, uint8_ends=False), measured)
        biases = corrected_biases(prepared, plain, photos[:correction_photos])
        return cls(prepared, measured, biases)

    def to_bytes(self, *, uint8_ends: bool) -> bytes:
        """Return the int8 model with float32 input and output, or with uint8 ones that take raw pixels unchanged."""
        rules = _int8_rules(self.model, uint8_ends=uint8_ends)
        return with_biases(quantised(self.model, rules, self.ranges), self.biases)


def some_photos(photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return calibration photos, uint8 [N, S, S, 3]; ExportError where there are none."""
    if len(photos) == 0:
        raise ExportError("There are no calibration photos.", remedy="Train the bundle again; it keeps some.")
    return photos


def _int8_rules(model: bytes, *, uint8_ends: bool) -> list[dict[str, Any]]:
    return [int8_rule(_EVERY), *end_rules(uint8_ends=uint8_ends), *map_rules(TFLiteGraph(model))]


def end_rules(*, uint8_ends: bool) -> list[dict[str, Any]]:
    """Return the rules for the model's input and output: uint8, or left in float32."""
    if uint8_ends:
        return [int8_rule(end, activations="UINT") for end in _ENDS]
    return [int8_rule(end, algorithm="no_quantize") for end in _ENDS]


def map_rules(graph: TFLiteGraph) -> list[dict[str, Any]]:
    """Return the rules that leave a class activation map, and what is computed of it, in float32; none without a map.

    Cells reach much further than their mean, so that 8 bits of a cell are worth far less than 8 bits of a logit.
    """
    if (grid := graph.map_index) is None:
        return []
    writer = graph.operators.index(graph.writer(grid))
    head = [(graph.type_of(operator), operator.outputs[0]) for operator in graph.operators[writer:]]
    return [
        int8_rule(kind, algorithm="no_quantize", regex=f"^{re.escape(graph.name_of(index))}") for kind, index in head
    ]


def int8_rule(
    operation: str,
    *,
    activations: str = "INT",
    symmetric: bool = False,
    algorithm: str = "min_max_uniform_quantize",
    regex: str = ".*",
    weight_bits: int = 8,
) -> dict[str, Any]:
    """Return a rule that lets operators whose output's name matches `regex` compute in 8-bit integers."""
    activation = {"num_bits": 8, "symmetric": symmetric, "granularity": "TENSORWISE", "dtype": activations}
    config = {"activation_tensor_config": activation, "compute_precision": "INTEGER"}
    return _rule(operation, algorithm, {**_WEIGHTS8, "num_bits": weight_bits}, regex, **config)


def _rule(operation: str, algorithm: str, weights: dict[str, Any], regex: str = ".*", **config: Any) -> dict[str, Any]:
    op_config = {"weight_tensor_config": weights, "explicit_dequantize": False, **config}
    return {"regex": regex, "operation": operation, "algorithm_key": algorithm, "op_config": op_config}


def quantised(model: bytes, rules: list[dict[str, Any]], calibration: Mapping[str, Range] | None) -> bytes:
    """Return the model as litert-quantizer makes it by its rules, from the ranges of its tensors.

    Raises:
        ExportError: The library returned nothing.
    """
    from litert_quantizer import Quantizer

    with redirect_stderr(io.StringIO()), warnings.catch_warnings():  # progress bars; errors still come as exceptions
        warnings.simplefilter("ignore")
        result = Quantizer(bytearray(model), rules).quantize(calibration, enable_progress_report=False)
    if result.quantized_model is None:
        raise ExportError("litert-quantizer returned no model.")
    graph = TFLiteGraph(bytes(result.quantized_model))
    if graph.map_index is None:
        return bytes(result.quantized_model)
    graph.leave_map_in_float()  # rules for outputs are the same for all of them
    return graph.to_bytes()
