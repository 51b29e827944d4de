"""The grid of integers that weights and biases lie on: codes times a scale for each output channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = {8: 127, 4: 7}  # symmetric: -128 and -8 are left out, as TFLite's specification of int8 asks for weights
_LARGEST_BIAS = 2**26  # far below int32's limit, so that sums have room, and nearly exact in float32
_ZERO_BIAS = 2**20
_NEAR = 0.02  # of a step: what float32 leaves of code times scale is far nearer
_SIGNIFICANT = 6  # bits of an exact scale


@dataclass(frozen=True)
class LayerIntegers:
    """The integers of one convolution or dense layer.

    Attributes:
        codes: int8, in the shape of the Keras kernel.
        scale: What a step of the codes is worth, float32 [channels].
        bias: int32 [channels], in steps of input scale times `scale`.
        axis: The kernel's axis that counts output channels.
        bits: How many bits the codes need: 8 or 4.
    """

    codes: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.int32]
    axis: int
    bits: int = 8

    def kernel(self) -> NDArray[np.float32]:
        """Return the weights that the codes stand for, float32."""
        return np.asarray(self.codes * _along(self.scale, self.axis, self.codes.ndim), np.float32)

    def bias_values(self, input_scale: float) -> NDArray[np.float32]:
        """Return the biases that the codes stand for where the layer's input has steps of `input_scale`."""
        return np.asarray(self.bias * bias_step(self.scale, input_scale), np.float32)


def bias_step(scale: NDArray[np.float32], input_scale: float) -> NDArray[np.float64]:
    """Return what a step of each channel's bias is worth, float64 [channels]."""
    return np.float64(np.float32(input_scale)) * scale.astype(np.float64)


def to_grid(
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32],
    axis: int,
    input_scale: float,
    bits: int = 8,
    *,
    exact: bool = False,
) -> LayerIntegers:
    """Round a layer to the nearest codes; the largest code of each channel is exactly the largest that `bits` allow.

    With `exact` each scale is rounded up to six significant bits, which leaves the largest code at 123 to 127
    (:mod:`dermport.exporters.integer.exact` says what that is for).

    Where the weights of a channel are so small that its bias would not fit (batch normalisation folds channels of
    MobileNetV2 to nearly nothing), one weight is raised to just the size that gives the bias its step.

    Args:
        kernel: Weights in Keras' layout, float32.
        bias: float32 [channels].
        axis: The kernel's axis that counts output channels.
        input_scale: What a step of the layer's input is worth.
        bits: 8 or 4.
        exact: Whether scales have six significant bits.
    """
    largest = LARGEST[bits]
    rows = np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1).astype(np.float64)
    needed = largest * np.abs(bias) / (_LARGEST_BIAS * input_scale)
    reach = np.abs(rows).max(axis=1)
    raised = (reach < needed) & (reach > 0)
    rows[raised, np.abs(rows[raised]).argmax(axis=1)] = needed[raised]
    scale = _scales(rows, bias, input_scale, largest, exact=exact)
    codes = np.rint(rows / scale[:, None]).clip(-largest, largest)
    if exact:
        _keep_scale(codes, rows, scale, largest)
    codes = codes.astype(np.int8)
    moved = np.moveaxis(kernel, axis, 0).shape
    steps = np.rint(bias / bias_step(scale, input_scale)).astype(np.int32)
    return LayerIntegers(np.moveaxis(codes.reshape(moved), 0, axis), scale, steps, axis, bits)


def read_grid(
    kernel: NDArray[np.float32], bias: NDArray[np.float32], axis: int, input_scale: float
) -> tuple[LayerIntegers | None, float]:
    """Return the grid of 8 or 4 bits that a layer lies on, or None; and which share of its numbers is on one.

    A layer that was left in float has about one weight in thirty near a code by chance; one that was rounded has all.
    """
    rows = np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1)
    shares = []
    for bits, exact in ((8, False), (8, True), (4, False), (4, True)):
        scale = _scales(rows, bias, input_scale, LARGEST[bits], exact=exact)
        steps, bias_steps = rows / scale[:, None].astype(np.float64), bias / bias_step(scale, input_scale)
        near = np.concatenate([_on_code(steps).ravel(), _on_code(bias_steps)])
        shares.append(float(near.mean()))
        if near.all():
            codes = np.rint(steps).astype(np.int8).reshape(np.moveaxis(kernel, axis, 0).shape)
            return LayerIntegers(
                np.moveaxis(codes, 0, axis), scale, np.rint(bias_steps).astype(np.int32), axis, bits
            ), 1.0
    return None, max(shares)


def _scales(
    rows: NDArray[np.floating], bias: NDArray[np.float32], input_scale: float, largest: int, *, exact: bool
) -> NDArray[np.float32]:
    """Return each channel's scale, float32 [channels]; of one without weights, what its bias needs."""
    reach = np.abs(rows).max(axis=1) / largest
    without = np.maximum(np.abs(bias) / input_scale, 1.0) / _ZERO_BIAS
    scale = np.where(reach > 0, reach, without)
    return (_significant(scale, np.ceil) if exact else scale).astype(np.float32)


def _significant(values: NDArray[np.floating], whole: Callable[[Any], Any]) -> NDArray[np.float64]:
    """Return values with a few significant bits; `whole` rounds up or down, float32's last places aside."""
    unit = 2.0 ** (np.floor(np.log2(values)) + 1 - _SIGNIFICANT)
    return np.asarray(whole(values / unit - (1e-5 if whole is np.ceil else -1e-5)) * unit)


def _keep_scale(
    codes: NDArray[np.float64], rows: NDArray[np.float64], scale: NDArray[np.float32], largest: int
) -> None:
    """Raise the largest code of a channel, where rounding has put it so low that the next smaller scale would do."""
    smaller = _significant(scale * (1 - 2.0 ** -(_SIGNIFICANT + 1)), np.floor)
    least = np.floor(largest * smaller / scale) + 1
    place = (np.arange(len(rows)), np.abs(rows).argmax(axis=1))
    codes[place] = np.where(rows[place] == 0, 0, np.copysign(np.maximum(np.abs(codes[place]), least), rows[place]))


def _on_code(steps: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(steps - np.rint(steps)) <= _NEAR + np.abs(steps) * 2.0**-21)


def _along(values: NDArray[np.float32], axis: int, ndim: int) -> NDArray[np.float32]:
    return values.reshape([-1 if place == axis else 1 for place in range(ndim)])
