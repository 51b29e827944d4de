"""Convolutions, pooling and padding: ONNX pads each side by a number, Keras by ``same`` or a layer of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dermport.importing.rebuild.call import LoweredTensor, LoweringCall, lowers

_NEVER_NEGATIVE = {"ReLU", "Sigmoid"}


@dataclass(frozen=True)
class _Window:
    """How a window goes over an image: sizes, steps, and what is padded (begin, end), each for height and width."""

    size: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[tuple[int, int], tuple[int, int]]

    @classmethod
    def of(cls, call: LoweringCall, size: Sequence[int]) -> _Window:
        strides = _pair(call.attribute("strides", (1, 1)))
        dilations = _pair(call.attribute("dilations", (1, 1)))
        sides = _pair(call.image().tensor.shape[1:3])
        covered = _pair([(k - 1) * d + 1 for k, d in zip(size, dilations, strict=True)])
        begin_end = call.attribute("pads", (0, 0, 0, 0))
        pads = ((begin_end[0], begin_end[2]), (begin_end[1], begin_end[3]))
        auto = call.attribute("auto_pad", "NOTSET")
        if auto.startswith("SAME"):
            pads = _same(sides, covered, strides, lower=auto == "SAME_LOWER")
        elif call.attribute("ceil_mode", 0):
            pads = _up(sides, covered, strides, pads)
        return cls(_pair(size), strides, dilations, pads)

    def padding(self, image: Any) -> str | None:
        """Return Keras' word for the padding; None where it has none."""
        if not any(map(sum, self.pads)):
            return "valid"
        covered = _pair([(k - 1) * d + 1 for k, d in zip(self.size, self.dilations, strict=True)])
        return "same" if self.pads == _same(_pair(image.shape[1:3]), covered, self.strides) else None


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return int(values[0]), int(values[1])


def _same(
    sides: tuple[int, int], covered: tuple[int, int], strides: tuple[int, int], *, lower: bool = False
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return TensorFlow's padding: so that each step has a window, the odd pixel at the end."""
    found = []
    for side, window, step in zip(sides, covered, strides, strict=True):
        whole = max((math.ceil(side / step) - 1) * step + window - side, 0)
        found.append((whole - whole // 2, whole // 2) if lower else (whole // 2, whole - whole // 2))
    return found[0], found[1]


def _up(
    sides: tuple[int, int],
    covered: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[tuple[int, int], tuple[int, int]],
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the padding of a window that goes over the end (ceil_mode)."""
    found = []
    for side, window, step, (begin, end) in zip(sides, covered, strides, pads, strict=True):
        steps = math.ceil((side + begin + end - window) / step)
        found.append((begin, max(end, steps * step + window - side - begin)))
    return found[0], found[1]


@lowers("Conv")
def _conv(call: LoweringCall) -> LoweredTensor:
    import keras

    value, weights, bias = call.image(), call.constant(1).astype(np.float32), call.optional(2)
    if weights.ndim != 4:
        call.refuse("it is not two-dimensional")
    group, window = call.attribute("group", 1), _Window.of(call, weights.shape[2:])
    if max(window.strides) > 1 and max(window.dilations) > 1:
        call.refuse("it has strides and dilations")
    image, padding = _padded(call, window, value.tensor)
    shared = {"padding": padding, "use_bias": bias is not None, "dilation_rate": window.dilations}
    channels, square = value.shape[1], window.strides[0] == window.strides[1]
    layer: Any
    if group > 1 and group == channels and square:
        kernel = weights.reshape(channels, -1, *window.size).transpose(2, 3, 0, 1)
        layer = keras.layers.DepthwiseConv2D(
            window.size, window.strides, depth_multiplier=kernel.shape[-1], name=call.named("depthwise"), **shared
        )
    else:
        kernel = weights.transpose(2, 3, 1, 0)
        layer = keras.layers.Conv2D(
            len(weights), window.size, window.strides, groups=group, name=call.named(), **shared
        )
    if value.mirrored:
        kernel = kernel[:, :, ::-1]
    made = layer(image)
    layer.set_weights([kernel] if bias is None else [kernel, bias.astype(np.float32)])
    return LoweredTensor(made, "NCHW")


def _padded(call: LoweringCall, window: _Window, image: Any) -> tuple[Any, str]:
    """Return an image, padded with zeros where Keras has no word for it, and the word for the rest."""
    import keras

    if word := window.padding(image):
        return image, word
    return keras.layers.ZeroPadding2D(window.pads, name=call.named("pad"))(image), "valid"


@lowers("MaxPool")
def _max_pool(call: LoweringCall) -> LoweredTensor:
    import keras

    value, window = call.image(), _Window.of(call, call.attribute("kernel_shape", ()))
    if window.padding(value.tensor) is None and not _never_negative(value.tensor):
        call.refuse("it is padded, and what it reads may be negative")
    if max(window.dilations) > 1:
        call.refuse("it is dilated")
    image, padding = _padded(call, window, value.tensor)
    layer = keras.layers.MaxPooling2D(window.size, window.strides, padding, name=call.named("max_pool"))
    return value.with_tensor(layer(image))


def _never_negative(tensor: Any) -> bool:
    """Whether zeros in place of minus infinity change no maximum, by what wrote the tensor."""
    layer = tensor._keras_history.operation
    return type(layer).__name__ in _NEVER_NEGATIVE or (
        type(layer).__name__ in ("Concatenate", "Add", "MaxPooling2D", "ZeroPadding2D")
        and all(map(_never_negative, layer.input if isinstance(layer.input, list) else [layer.input]))
    )


@lowers("AveragePool")
def _average_pool(call: LoweringCall) -> LoweredTensor:
    import keras

    value, window = call.image(), _Window.of(call, call.attribute("kernel_shape", ()))
    image, padding = value.tensor, window.padding(value.tensor)
    counted = call.attribute("count_include_pad", 0)
    if padding != "valid" and counted and not call.attribute("ceil_mode", 0):
        image, padding = keras.layers.ZeroPadding2D(window.pads, name=call.named("pad"))(image), "valid"
    if padding is None or (padding == "same" and counted):
        call.refuse("its windows go over the edge in a way that Keras has no layer for")
    layer = keras.layers.AveragePooling2D(window.size, window.strides, padding, name=call.named("average_pool"))
    return value.with_tensor(layer(image))


@lowers("Pad")
def _pad(call: LoweringCall) -> LoweredTensor:
    import keras

    value, pads = call.tensor(), call.setting("pads", 1)
    filling = call.setting("value", 2, 0.0)
    if call.attribute("mode", "constant") != "constant" or np.any(np.asarray(filling)) or min(pads) < 0:
        call.refuse("only padding with zeros is taken over")
    if len(pads) != 8 or value.layout == "flat":
        call.refuse("it pads something else than an image")
    sides = {value.axis(axis): (pads[axis], pads[axis + 4]) for axis in range(4)}
    if any(sides[0]) or any(sides[3]):
        call.refuse("it pads photos or channels")
    if not any(pads):
        return value
    return value.with_tensor(keras.layers.ZeroPadding2D((sides[1], sides[2]), name=call.named())(value.tensor))


@lowers("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(call: LoweringCall) -> LoweredTensor:
    return _pooled(call, call.image(), keep=True)


@lowers("ReduceMean", "ReduceMax")
def _reduce(call: LoweringCall) -> LoweredTensor:
    value, axes = call.tensor(), call.setting("axes", 1, ())
    if value.layout == "flat" or {value.axis(axis) for axis in axes} != {1, 2}:
        call.refuse("it goes over other axes than height and width")
    return _pooled(call, value, keep=bool(call.attribute("keepdims", 1)))


def _pooled(call: LoweringCall, value: LoweredTensor, *, keep: bool) -> LoweredTensor:
    import keras

    largest = call.node.type.endswith(("Max", "MaxPool"))
    kind = keras.layers.GlobalMaxPooling2D if largest else keras.layers.GlobalAveragePooling2D
    made = kind(keepdims=keep, name=call.named("global_pool"))(value.tensor)
    return LoweredTensor(made, value.layout if keep else "flat", mirrored=value.mirrored)


@lowers("Resize", "Upsample")
def _resize(call: LoweringCall) -> LoweredTensor:
    import keras

    value = call.tensor()
    sizes = _target(call, value)
    mode = call.attribute("mode", "nearest")
    where = call.attribute(
        "coordinate_transformation_mode", "half_pixel" if call.node.type == "Resize" else "asymmetric"
    )
    before = value.tensor.shape[1:3]
    if mode == "linear" and where in ("half_pixel", "pytorch_half_pixel"):
        layer = keras.layers.Resizing(*sizes, interpolation="bilinear", name=call.named("resize"))
    elif mode == "nearest" and where == "asymmetric" and not any(n % o for n, o in zip(sizes, before, strict=True)):
        factors = (sizes[0] // before[0], sizes[1] // before[1])
        layer = keras.layers.UpSampling2D(factors, name=call.named("upsample"))
    else:
        call.refuse(f"it interpolates as {mode}, {where}")
    return value.with_tensor(layer(value.tensor))


def _target(call: LoweringCall, value: LoweredTensor) -> tuple[int, int]:
    """Return height and width that are resized to."""
    given = call.optional(3)
    if given is None or not given.size:
        scales = call.setting("scales", 2 if len(call.inputs) > 2 else 1)
        given = np.floor(np.asarray(scales) * np.asarray(value.shape)).astype(np.int64)
    by_axis = {value.axis(axis): int(size) for axis, size in enumerate(given)}
    return by_axis[1], by_axis[2]
