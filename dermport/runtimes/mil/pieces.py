"""MIL's cutting and resizing in ONNX (coremltools' ``tensor_transformation.py`` and ``image_resizing.py``)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from dermport.runtimes.mil.call import Call

_LAST = 2**31 - 1  # beyond every axis, as ONNX lets a slice end
_FIRST = -_LAST


def sliced_by_index(call: Call) -> str:
    """Translate slice_by_index, whose ends are constants."""
    rank = len(call.shape("x"))
    begin, end = call.ints("begin", []), call.ints("end", [])
    stride = call.ints("stride", [1] * rank)
    open_begin, open_end, squeezed = (
        call.ints(mask, [0] * rank) for mask in ("begin_mask", "end_mask", "squeeze_mask")
    )
    starts = [
        (0 if step > 0 else _LAST) if free else at for at, free, step in zip(begin, open_begin, stride, strict=True)
    ]
    stops = [
        (_LAST if step > 0 else _FIRST) if free else at for at, free, step in zip(end, open_end, stride, strict=True)
    ]
    for axis in range(rank):
        if squeezed[axis]:
            starts[axis], stops[axis], stride[axis] = begin[axis], begin[axis] + 1 or _LAST, 1
    cut = _slice(call, starts, stops, stride)
    gone = [axis for axis in range(rank) if squeezed[axis]]
    return call.emit("Squeeze", cut, call.constant(gone)) if gone else cut


def index_spares_rows(call: Call) -> bool:
    """Return whether a slice_by_index takes the first axis whole."""
    rank = len(call.shape("x"))
    masks = [call.ints(mask, [0] * rank)[0] for mask in ("begin_mask", "end_mask", "squeeze_mask")]
    whole = (masks[0] or call.ints("begin", [])[0] == 0) and (masks[1] or call.ints("end", [])[0] >= 1)
    return bool(whole) and not masks[2] and call.ints("stride", [1] * rank)[0] == 1


def sliced_by_size(call: Call) -> str:
    """Translate slice_by_size: -1 takes what is left of an axis."""
    begin, size = call.ints("begin", []), call.ints("size", [])
    ends = [_LAST if length == -1 else start + length for start, length in zip(begin, size, strict=True)]
    return _slice(call, begin, ends, [1] * len(begin))


def size_spares_rows(call: Call) -> bool:
    """Return whether a slice_by_size takes the first axis whole."""
    return call.ints("begin", [])[0] == 0


def split(call: Call) -> list[str]:
    """Translate split into equal parts, or parts of given sizes."""
    axis = call.ints("axis", [])[0] % len(call.shape("x"))
    length, parts = call.shape("x")[axis], call.ints("num_splits", [1])[0]
    sizes = call.ints("split_sizes", [length // parts] * parts)
    stops = list(accumulate(sizes))
    return [
        call.emit("Slice", call.tensor("x"), *(call.constant([value]) for value in (stop - size, stop, axis)))
        for size, stop in zip(sizes, stops, strict=True)
    ]


def _slice(call: Call, starts: Sequence[int], stops: Sequence[int], steps: Sequence[int]) -> str:
    """Cut the axes that are not taken whole: the first one may hold any number of photos."""
    axes = [
        axis
        for axis, length in enumerate(call.shape("x"))
        if starts[axis] != 0 or not length <= stops[axis] or steps[axis] != 1
    ]
    if not axes:
        return call.emit("Identity", call.tensor("x"))
    ends = ([values[axis] for axis in axes] for values in (starts, stops))
    return call.emit("Slice", call.tensor("x"), *map(call.constant, (*ends, axes, [steps[axis] for axis in axes])))


def upsampled_bilinear(call: Call) -> str:
    """Translate upsample_bilinear, by factors."""
    aligned = call.flag("align_corners", True)
    halves = call.flag("half_pixel_centers", not aligned)
    where = "align_corners" if aligned else "half_pixel" if halves else "asymmetric"
    return _resized(call, _factors(call), mode="linear", coordinate_transformation_mode=where)


def upsampled_nearest(call: Call) -> str:
    """Translate upsample_nearest_neighbor, by factors."""
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return _resized(call, _factors(call), mode="nearest", **how)


def resized_bilinear(call: Call) -> str:
    """Translate resize_bilinear, to a size."""
    modes = {"STRICT_ALIGN_CORNERS": "align_corners", "DEFAULT": "asymmetric", "UNALIGN_CORNERS": "half_pixel"}
    mode = call.text("sampling_mode", "DEFAULT")
    if mode not in modes:
        raise call.unsupported(f"sampling_mode {mode!r}")
    wanted = (call.ints(f"target_size_{side}", [])[0] for side in ("height", "width"))
    factors = [size / now for size, now in zip(wanted, call.shape("x")[-2:], strict=True)]
    return _resized(call, factors, mode="linear", coordinate_transformation_mode=modes[mode])


def _factors(call: Call) -> list[float]:
    return [call.number(f"scale_factor_{side}", 1.0) for side in ("height", "width")]


def _resized(call: Call, factors: Sequence[float], **how: str) -> str:
    scales = [1.0] * (len(call.shape("x")) - 2) + list(factors)
    return call.emit("Resize", call.tensor("x"), "", call.constant(scales, "float32"), **how)
