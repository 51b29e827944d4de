"""int4 weights for LiteRT: of the large 1×1 convolutions, with int8 activations; everything else is int8.

LiteRT takes CONV_2D and FULLY_CONNECTED in 4 bits with a scale for each output channel, and no DEPTHWISE_CONV_2D. The
codes are chosen here (:mod:`dermport.exporters.rounding`); litert-quantizer finds them again and writes the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.rounding import LARGEST_INT8, Grid, Moments, rounded
from dermport.exporters.tflite.bias import corrected_biases, make_room_for_biases, with_biases
from dermport.exporters.tflite.calibrate import Probe, ranges
from dermport.exporters.tflite.graph import TFLiteGraph, TFLiteLayer
from dermport.exporters.tflite.quantize import end_rules, int8_rule, map_rules, quantised, some_photos

_BITS = 4
_PHOTOS = 128  # for the covariances


def int4_weights(model: bytes, photos: NDArray[np.uint8], correction_photos: int) -> bytes:
    """Return a float32 model with int4 weights where they fit, and int8 elsewhere.

    Args:
        model: The model's bytes.
        photos: Calibration photos, uint8 [N, S, S, 3].
        correction_photos: How many of them biases are corrected by.

    Raises:
        ExportError: There are no photos.
    """
    measured = ranges(model, some_photos(photos))
    prepared = make_room_for_biases(model, measured)
    graph = TFLiteGraph(prepared)
    large = [layer for layer in graph.layers() if _takes_int4(layer)]
    moments = _moments(model, sorted({layer.input for layer in large}), photos[:_PHOTOS])
    for layer in large:
        matrix = layer.weights.reshape(len(layer.weights), -1).astype(np.float64)
        values = rounded(matrix, Grid.of(matrix, _BITS), moments[layer.input].statistics().covariance)
        layer.weights[...] = values.reshape(layer.weights.shape)
    form = quantised(graph.to_bytes(), [*_rules(large), *map_rules(graph)], measured)
    return with_biases(form, corrected_biases(prepared, form, photos[:correction_photos]))


def _takes_int4(layer: TFLiteLayer) -> bool:
    # [out, height, width, in]; a dense layer's [out, in] is the small classifier's
    return layer.weights.size > LARGEST_INT8 and layer.weights.shape[1:-1] == (1, 1)


def _rules(large: Sequence[TFLiteLayer]) -> list[dict[str, Any]]:
    outputs = "|".join(re.escape(layer.output) for layer in large)
    four = int8_rule("CONV_2D", regex=f"^({outputs})", weight_bits=_BITS)
    return [int8_rule("*"), *([four] if large else []), *end_rules(uint8_ends=False)]


def _moments(model: bytes, names: Sequence[str], photos: NDArray[np.uint8]) -> dict[str, Moments]:
    moments = {name: Moments() for name in names}
    probe = Probe(model)
    for _ in probe.run(photos):
        for name in names:
            value = probe.value(name)
            moments[name].add(value.reshape(-1, value.shape[-1]).T)
    return moments
