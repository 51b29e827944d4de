"""Biases of a smaller precision: room for them in int8, and the correction of what rounding shifts on average."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.tflite.calibrate import Flow, Probe, Range
from dermport.exporters.tflite.graph import TFLiteGraph, TFLiteLayer

_LARGEST_BIAS = 2**30


def make_room_for_biases(model: bytes, ranges: Mapping[str, Range]) -> bytes:
    """Return the float model with the weights raised of channels whose bias would not fit into int32.

    A step of the bias is worth input scale times weight scale. Where batch normalisation has folded a channel's
    weights to nearly nothing (MobileNetV2's ImageNet weights have such channels), the step is so small that the bias
    overflows, and the channel's constant is lost. One weight of just the needed size, still without any effect to
    speak of, gives the scale that the bias needs.
    """
    graph = TFLiteGraph(model)
    for layer in graph.layers():
        low, high = (float(ranges[layer.input][end][0]) for end in ("min", "max"))
        needed = np.abs(layer.bias) * 127 / (_LARGEST_BIAS * max((high - low) / 255, 1e-12))
        by_channel = layer.weights.T
        largest = np.abs(by_channel).max(axis=tuple(range(by_channel.ndim - 1)))
        first = by_channel[(0,) * (by_channel.ndim - 1)]
        first[:] = np.where(largest < needed, needed, first)
    return graph.to_bytes()


def corrected_biases(model: bytes, rounded: bytes, photos: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Return biases of a rounded model that give each layer's channels the mean that they have in the float model.

    Empirical bias correction (Nagel et al. 2019, arXiv:1906.04721, section 4.2): rounding the weights shifts the mean
    of each output channel; in depthwise-separable networks these shifts are large and add up. Layer after layer,
    each seeing the corrected ones before it, the mean difference over the photos goes into the bias.

    Args:
        model: The float32 model's bytes.
        rounded: The same model in int8, or in float32 with rounded weights; its input and output are float32.
        photos: uint8 [N, S, S, 3].

    Returns:
        int32 or float32 [channels], as `rounded` has them, by the name of the layer's output tensor.
    """
    graph = TFLiteGraph(rounded)
    layers, flow = graph.layers(), Flow(graph, photos)
    wanted = _means(model, [layer.output for layer in layers], photos)
    for layer, operator in zip(layers, graph.layer_operators(), strict=True):
        _shift(layer, wanted[layer.output] - flow.means(operator))
    return {layer.output: layer.bias.copy() for layer in layers}


def with_biases(model: bytes, biases: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a model with other biases, by the name of each layer's output tensor."""
    graph = TFLiteGraph(model)
    for layer in graph.layers():
        layer.bias[:] = biases[layer.output]
    return graph.to_bytes()


def _shift(layer: TFLiteLayer, difference: NDArray[np.float64]) -> None:
    if layer.bias.dtype == np.float32:
        layer.bias[:] += difference.astype(np.float32)
    else:
        shifted = layer.bias + np.rint(difference / layer.bias_scale)
        layer.bias[:] = np.clip(shifted, -_LARGEST_BIAS * 2 + 1, _LARGEST_BIAS * 2 - 1)


def _means(model: bytes, names: list[str], photos: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Return the mean of each channel of some tensors over photos and places, float64 [channels]."""
    sums = dict.fromkeys(names, np.zeros(()))
    probe = Probe(model)
    for _ in probe.run(photos):
        for name in names:
            value = probe.value(name)
            sums[name] = sums[name] + value.reshape(-1, value.shape[-1]).mean(axis=0, dtype=np.float64)
    return {name: total / len(photos) for name, total in sums.items()}
