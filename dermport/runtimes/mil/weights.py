"""Compressed weights, really decompressed: one function per ``constexpr_`` operator.

Each takes the operator's parameters as arrays and returns its outputs. What Core ML stores and how it decodes it is
specified in coremltools, ``converters/mil/mil/ops/defs/iOS16/constexpr_ops.py`` and ``iOS18/compression.py``. Products
are computed in float32 and rounded once to the type of the scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from dermport.runtimes.mil.values import Array, unpack_bits

Parameters = Mapping[str, Array]


def affine_dequantize(given: Parameters) -> tuple[Array, ...]:
    """Return ``scale * (quantized_data - zero_point)``, scale and zero point per tensor or along `axis` (iOS 16)."""
    data, scale, zero = given["quantized_data"], given["scale"], given["zero_point"]
    along = [1] * data.ndim
    along[int(given["axis"])] = -1
    shifted = data.astype(np.float32) - zero.astype(np.float32).reshape(along if zero.ndim else ())
    factor = scale.astype(np.float32).reshape(along if scale.ndim else ())
    return ((shifted * factor).astype(scale.dtype),)


def blockwise_shift_scale(given: Parameters) -> tuple[Array, ...]:
    """Return ``scale * (data - offset)``, one scale and offset per block (iOS 18)."""
    data, scale = given["data"], given["scale"]
    offset = given.get("offset", np.zeros_like(scale)).astype(np.float32)
    shifted = data.astype(np.float32) - _spread(offset, data.shape)
    return ((shifted * _spread(scale.astype(np.float32), data.shape)).astype(scale.dtype),)


def lut_to_dense(given: Parameters) -> tuple[Array, ...]:
    """Return the looked-up weights: packed indices and one table (iOS 16), or a table per group or vector (iOS 18)."""
    if "shape" not in given:
        return (_grouped_lookup(given["indices"], given["lut"], given.get("vector_axis")),)
    shape = tuple(int(size) for size in given["shape"])
    bits = int(given["lut"].size).bit_length() - 1
    indices = unpack_bits(given["indices"].tobytes(), bits, prod(shape))
    return (given["lut"][indices].reshape(shape),)


def sparse_to_dense(given: Parameters) -> tuple[Array, ...]:
    """Return the weights, zero where the mask is; the mask is packed, with a shape (iOS 16), or as it is (iOS 18)."""
    mask = given["mask"]
    if "shape" in given:
        shape = tuple(int(size) for size in given["shape"])
        mask = unpack_bits(mask.tobytes(), 1, prod(shape)).reshape(shape)
    return (_scatter(given["nonzero_data"], mask),)


def lut_to_sparse(given: Parameters) -> tuple[Array, ...]:
    """Return mask and values of palettised sparse weights (iOS 18)."""
    mask, axis = given["indices_mask"], given.get("vector_axis")
    dense = _grouped_lookup(_scatter(given["indices_nonzero_data"], mask), given["lut"], axis)
    if axis is not None:
        mask = np.repeat(mask, given["lut"].shape[-1], axis=int(axis))
    return mask, dense[mask != 0]


def sparse_blockwise_shift_scale(given: Parameters) -> tuple[Array, ...]:
    """Return mask and values of quantised sparse weights (iOS 18)."""
    mask = given["data_mask"]
    dense = blockwise_shift_scale({**given, "data": _scatter(given["nonzero_data"], mask)})[0]
    return mask, dense[mask != 0]


def constexpr_cast(given: Parameters) -> tuple[Array, ...]:
    """Return a float16 constant as float32, the only cast that is defined."""
    return (given["source_val"].astype(np.float32),)


def _spread(small: Array, shape: tuple[int, ...]) -> Array:
    """Repeat each element of `small` over its block of an array of `shape`."""
    for axis, size in enumerate(shape):
        small = np.repeat(small, size // small.shape[axis], axis=axis)
    return small


def _scatter(values: Array, mask: Array) -> Array:
    dense = np.zeros(mask.shape, values.dtype)
    dense[mask != 0] = values
    return dense


def _grouped_lookup(indices: Array, lut: Array, vector_axis: Array | None) -> Array:
    """Look up in `lut` [groups along each axis of indices..., palette, vector]."""
    tables = lut
    for axis, size in enumerate(indices.shape):
        tables = np.repeat(tables, size // lut.shape[axis], axis=axis)
    vectors = np.take_along_axis(tables, indices.astype(np.intp)[..., None, None], axis=-2)[..., 0, :]
    if vector_axis is None:
        return vectors[..., 0]
    axis = int(vector_axis) % indices.ndim
    shape = [size * (lut.shape[-1] if i == axis else 1) for i, size in enumerate(indices.shape)]
    return np.moveaxis(vectors, -1, axis + 1).reshape(shape)


CONSTANT_OPERATORS: dict[str, Callable[[Parameters], tuple[Array, ...]]] = {
    "const": lambda given: (given["val"],),
    "constexpr_affine_dequantize": affine_dequantize,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_cast": constexpr_cast,
    "constexpr_lut_to_dense": lut_to_dense,
    "constexpr_lut_to_sparse": lut_to_sparse,
    "constexpr_sparse_blockwise_shift_scale": sparse_blockwise_shift_scale,
    "constexpr_sparse_to_dense": sparse_to_dense,
}
