"""Operators that move values about: transposes, flattening, concatenation, the order of the colours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dermport.importing.rebuild.call import LoweredTensor, LoweringCall, lowers

_TO_NHWC, _TO_NCHW = [0, 2, 3, 1], [0, 3, 1, 2]


@lowers("Identity", "Dropout", "Cast")
def _nothing(call: LoweringCall) -> LoweredTensor:
    return call.tensor()


@lowers("Transpose")
def _transpose(call: LoweringCall) -> LoweredTensor:
    value, order = call.tensor(), list(call.attribute("perm", ()))
    if order == sorted(order) and order:
        return value
    if value.layout == "NCHW" and order == _TO_NHWC:
        return replace(value, layout="NHWC")
    if value.layout == "NHWC" and order == _TO_NCHW:
        return replace(value, layout="NCHW")
    return call.refuse(f"it goes from {value.layout} by {order}")  # type: ignore[no-any-return]


@lowers("Flatten", "Reshape", "Squeeze", "Unsqueeze")
def _reshape(call: LoweringCall) -> LoweredTensor:
    import keras

    value = call.tensor()
    shape = _new_shape(call, value)
    if shape == value.shape:
        return value
    if len(shape) == 2 and value.layout != "flat":
        channels, height, width = np.roll(value.tensor.shape[1:], 1).tolist()
        reordered = value.layout == "NCHW" and height * width > 1 and channels > 1
        made = keras.layers.Flatten(name=call.named("flatten"))(value.tensor)
        return LoweredTensor(made, "flat", (channels, height, width) if reordered else None)
    if len(shape) == 4 and value.layout == "flat" and max(shape) == value.shape[1]:
        made = keras.layers.Reshape((1, 1, value.shape[1]), name=call.named("reshape"))(value.tensor)
        return LoweredTensor(made, "NCHW" if shape[1] == value.shape[1] else "NHWC")
    return call.refuse(f"it makes {list(shape)} of {list(value.shape)}")  # type: ignore[no-any-return]


def _new_shape(call: LoweringCall, value: LoweredTensor) -> tuple[int, ...]:
    """Return the new shape of one photo."""
    old = value.shape
    if call.node.type == "Flatten":
        if call.attribute("axis", 1) != 1:
            call.refuse("it flattens photos together")
        return 1, int(np.prod(old))
    if call.node.type == "Reshape":
        wanted = [old[place] if size == 0 else size for place, size in enumerate(call.setting("shape", 1))]
        if len(wanted) > 1 and wanted[0] not in (1, -1):
            wanted[0] = 1  # a fixed batch
        rest = int(np.prod(old)) // max(1, -int(np.prod(wanted)))
        return tuple(rest if size == -1 else size for size in wanted) if -1 in wanted[1:] else (1, *wanted[1:])
    axes = call.setting("axes", 1)
    if call.node.type == "Squeeze":
        gone = {axis % len(old) for axis in axes} if axes else {n for n, size in enumerate(old) if n and size == 1}
        return tuple(size for place, size in enumerate(old) if place not in gone)
    found = list(old)
    for axis in sorted(axis % (len(old) + len(axes)) for axis in axes):
        found.insert(axis, 1)
    return tuple(found)


@lowers("Concat")
def _concat(call: LoweringCall) -> LoweredTensor:
    import keras

    values = [call.tensor(place) for place in range(len(call.inputs))]
    first = values[0]
    if len({value.layout for value in values}) > 1 or any(value.order or value.mirrored for value in values):
        call.refuse("its operands are laid out differently")
    layer = keras.layers.Concatenate(axis=first.axis(call.attribute("axis", 1)), name=call.named("concat"))
    return first.with_tensor(layer([value.tensor for value in values]))


@lowers("Slice", "Gather")
def _colours(call: LoweringCall) -> LoweredTensor:
    """RGB from BGR is the one thing that is picked out of an image."""
    value = call.tensor()
    axis, chosen = _chosen(call, value)
    if value.layout == "flat" or value.tensor.shape[-1] != 3 or value.axis(axis) != 3:
        call.refuse("it picks out something else than the order of the colours")
    if chosen == [2, 1, 0]:
        return replace(value, mirrored=not value.mirrored)
    return value if chosen == [0, 1, 2] else call.refuse("it picks out something else than the order of the colours")


def _chosen(call: LoweringCall, value: LoweredTensor) -> tuple[int, list[int]]:
    """Return the axis along which values are chosen, and which."""
    if call.node.type == "Gather":
        axis = call.attribute("axis", 0)
        return axis, np.arange(value.shape[axis])[call.constant(1)].reshape(-1).tolist()
    starts, ends = call.setting("starts", 1), call.setting("ends", 2)
    axes: Any = call.setting("axes", 3) or list(range(len(starts)))
    steps = call.setting("steps", 4) or [1] * len(starts)
    kept = {axis: slice(a, b, s) for axis, a, b, s in zip(axes, starts, ends, steps, strict=True)}
    changed = {
        axis: found
        for axis, part in kept.items()
        if (found := _sliced(value.shape[axis], part)) != list(range(value.shape[axis]))
    }
    if len(changed) > 1:
        call.refuse("it cuts along several axes")
    return next(iter(changed.items()), ((value.layout == "NHWC" and 3) or 1, [0, 1, 2]))


def _sliced(size: int, part: slice) -> list[int]:
    stop = None if part.step < 0 and part.stop < -size else part.stop
    return list(range(size))[slice(part.start, stop, part.step)]
