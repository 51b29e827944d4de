"""Multiply-accumulates of a model for one photo, counted from its description: neither Keras nor TensorFlow is needed.

``model.keras`` is a zip whose ``config.json`` tells every layer's kind, settings and the shape it was built for
(https://keras.io/guides/serialization_and_saving/). Convolutions and dense layers are counted, as the papers do; bias
additions, normalisation, activations and additions are not.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from math import ceil, prod
from pathlib import Path
from typing import Any

from dermport.errors import BundleError

Layer = dict[str, Any]
_UNKNOWN = ("Conv", "Dense", "Attention", "LSTM", "GRU", "RNN", "Einsum", "MatMul", "Matmul")


def count_macs(model: Path) -> int:
    """Return the multiply-accumulates of one photo's inference.

    Args:
        model: A ``model.keras``.

    Raises:
        BundleError: The file is no Keras 3 model, or has a layer of a kind that cannot be counted.
    """
    try:
        with zipfile.ZipFile(model) as archive:
            config = json.loads(archive.read("config.json"))
        return sum(_count(layer) for layer in _layers(config))
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise BundleError(f"The multiply-accumulates of {model} cannot be counted: {error!r}.") from error


def _layers(config: Layer) -> Iterator[Layer]:
    """Yield the layers that compute, each as often as it is called; nested models are opened."""
    nested = config["config"].get("layers") if isinstance(config.get("config"), dict) else None
    calls = max(1, len(config.get("inbound_nodes", ())))
    for _ in range(calls):
        if nested is None:
            yield config
        else:
            for layer in nested:
                yield from _layers(layer)


def _count(layer: Layer) -> int:
    kind = layer["class_name"]
    if kind in _COUNTS:
        return _COUNTS[kind](layer["config"], layer["build_config"]["input_shape"])
    if any(part in kind for part in _UNKNOWN):
        raise ValueError(f"layer {layer['config'].get('name')} is a {kind}")
    return 0


def kernel_weights(kind: str, taps: int, inputs: int, outputs: int, groups: int = 1) -> int:
    """Return the weights of a convolution's or dense layer's kernel: its multiply-accumulates at each position.

    Args:
        kind: The layer's class in Keras.
        taps: Height x width of the kernel; 1 of a dense layer.
        inputs: Channels that it takes.
        outputs: Channels that it gives.
        groups: Of a convolution.
    """
    return taps * outputs if kind == "DepthwiseConv2D" else taps * inputs * outputs // groups


def _conv(settings: Layer, shape: list[int]) -> int:
    taps, outputs = prod(settings["kernel_size"]), int(settings["filters"])
    return _positions(settings, shape) * kernel_weights("Conv2D", taps, shape[-1], outputs, settings["groups"])


def _depthwise(settings: Layer, shape: list[int]) -> int:
    taps, outputs = prod(settings["kernel_size"]), shape[-1] * int(settings["depth_multiplier"])
    return _positions(settings, shape) * kernel_weights("DepthwiseConv2D", taps, shape[-1], outputs)


def _dense(settings: Layer, shape: list[int]) -> int:
    return prod(shape[1:-1]) * kernel_weights("Dense", 1, shape[-1], int(settings["units"]))


def _positions(settings: Layer, shape: list[int]) -> int:
    """Return height x width of a convolution's output."""
    if settings["data_format"] != "channels_last":
        raise ValueError(f"layer {settings['name']} has its channels first")
    reach = [
        (kernel - 1) * dilation + 1
        for kernel, dilation in zip(settings["kernel_size"], settings["dilation_rate"], strict=True)
    ]
    lost = [0, 0] if settings["padding"] == "same" else [size - 1 for size in reach]
    return prod(
        ceil((side - less) / stride) for side, less, stride in zip(shape[1:3], lost, settings["strides"], strict=True)
    )


_COUNTS: dict[str, Callable[[Layer, list[int]], int]] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "Dense": _dense,
}
