"""MIL values: immediate ones in the program, big ones in ``weights/weight.bin``, as NumPy arrays."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError
from dermport.runtimes.mil.package import MilPackage

Array = NDArray[Any]


@dataclass(frozen=True)
class DType:
    """A MIL element type: its name, the NumPy type that holds it, and its stored width."""

    name: str
    numpy: str
    bits: int


@dataclass(frozen=True)
class TensorType:
    """The type of a MIL variable; a value that is no tensor (a dictionary, a list) has dtype ``"other"``."""

    dtype: str
    shape: tuple[int, ...]


# The numbers are MILSpec.DataType's (MIL.proto in coremltools).
_DTYPES = {
    1: DType("bool", "bool", 8),
    2: DType("string", "str", 0),
    10: DType("fp16", "float16", 16),
    11: DType("fp32", "float32", 32),
    12: DType("fp64", "float64", 64),
    21: DType("int8", "int8", 8),
    22: DType("int16", "int16", 16),
    23: DType("int32", "int32", 32),
    24: DType("int64", "int64", 64),
    25: DType("int4", "int8", 4),
    31: DType("uint8", "uint8", 8),
    32: DType("uint16", "uint16", 16),
    33: DType("uint32", "uint32", 32),
    34: DType("uint64", "uint64", 64),
    35: DType("uint4", "uint8", 4),
    36: DType("uint2", "uint8", 2),
    37: DType("uint1", "uint8", 1),
    38: DType("uint6", "uint8", 6),
    39: DType("uint3", "uint8", 3),
}

# One entry of weight.bin: sentinel, type, bytes, where the data starts, unused bits at its end.
# apple/coremltools, mlmodel/src/MILBlob/Blob/StorageFormat.hpp
_ENTRY = struct.Struct("<IIQQQ")
_SENTINEL = 0xDEADBEEF


def unpack_bits(data: bytes, bits: int, count: int) -> NDArray[np.uint8]:
    """Unpack `count` unsigned numbers of `bits` <= 8 bits that are packed from the lowest bit of the first byte on."""
    stream = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little", count=bits * count)
    weights = (1 << np.arange(bits)).astype(np.uint8)
    numbers: NDArray[np.uint8] = (stream.reshape(count, bits) * weights).sum(axis=1, dtype=np.uint8)
    return numbers


def tensor_type(proto: Any) -> TensorType:
    """Return the type that a ``MILSpec.ValueType`` names.

    Raises:
        ExportError: A dimension is not constant, or the element type is unknown.
    """
    if proto.WhichOneof("type") != "tensorType":
        return TensorType("other", ())
    dimensions = proto.tensorType.dimensions
    if any(dimension.WhichOneof("dimension") != "constant" for dimension in dimensions):
        raise ExportError("The ML Program has a tensor of flexible shape.", remedy="Export with fixed shapes.")
    return TensorType(_dtype(proto.tensorType).name, tuple(int(d.constant.size) for d in dimensions))


def _dtype(tensor: Any) -> DType:
    if tensor.dataType not in _DTYPES:
        raise ExportError(
            f"The ML Program uses the element type {tensor.dataType}, which is unknown here.",
            remedy="Teach it to dermport/runtimes/mil/values.py.",
        )
    return _DTYPES[tensor.dataType]


class ValueReader:
    """Reads the ``MILSpec.Value`` messages of one package.

    Args:
        package: The package whose weight files the values point into.
    """

    def __init__(self, package: MilPackage) -> None:
        self._package = package
        self._files: dict[Path, bytes] = {}

    def read(self, value: Any) -> Array:
        """Return a value as an array: scalars have no axes, strings the type ``str``, a list one axis.

        Raises:
            ExportError: The value points outside its weight file, or has another length than its type says.
        """
        if value.type.WhichOneof("type") == "listType":
            return np.array([self.read(item).item() for item in value.immediateValue.list.values])
        dtype, shape = _dtype(value.type.tensorType), tensor_type(value.type).shape
        if value.WhichOneof("value") == "blobFileValue":
            return _decode(self._blob(value.blobFileValue, _stored_bytes(dtype, shape)), dtype, shape)
        kind = value.immediateValue.tensor.WhichOneof("value")
        stored = getattr(value.immediateValue.tensor, kind).values
        if kind == "bytes":
            return _decode(stored, dtype, shape)
        return np.array(list(stored), dtype=dtype.numpy).reshape(shape)

    def _blob(self, blob: Any, expected: int) -> bytes:
        path = self._package.weight_file(blob.fileName)
        data = self._load(path)
        where = blob_span(data, blob.offset)
        if where.stop - where.start != expected or where.stop > len(data):
            raise ExportError(
                f"{path} is damaged: at {blob.offset} there is no entry of {expected} bytes.",
                remedy="Export it again.",
            )
        return data[where]

    def _load(self, path: Path) -> bytes:
        if path not in self._files:
            try:
                self._files[path] = path.read_bytes()
            except OSError as error:
                raise ExportError(
                    f"The weights {path} cannot be read: {error.strerror}.", remedy="Export it again."
                ) from error
        return self._files[path]


def blob_span(data: bytes, offset: int) -> slice:
    """Return where the bytes of an entry lie in a weight file; an empty span where there is no entry at `offset`."""
    header = data[offset : offset + _ENTRY.size]
    sentinel, _, size, start, _ = _ENTRY.unpack(header) if len(header) == _ENTRY.size else (0,) * 5
    return slice(start, start + size) if sentinel == _SENTINEL else slice(0, 0)


def _stored_bytes(dtype: DType, shape: tuple[int, ...]) -> int:
    return (prod(shape) * dtype.bits + 7) // 8


def _decode(data: bytes, dtype: DType, shape: tuple[int, ...]) -> Array:
    if dtype.bits >= 8:
        return np.frombuffer(data, dtype.numpy).reshape(shape)
    unsigned = unpack_bits(data, dtype.bits, prod(shape)).reshape(shape)
    if dtype.name != "int4":
        return unsigned
    return ((unsigned ^ 8).astype(np.int8) - 8).astype(np.int8)
