"""The integers that exported files hold, read back from disk and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import ExportError
from bundle.hashing import sha256_json


@dataclass(frozen=True)
class Stored:
    """One convolution, dense layer or residual sum of a file.

    Attributes:
        name: What it is and which one, e.g. ``"layer 3"`` or ``"sum 1"``.
        inputs: The scale of each activation that it reads; None of one in float.
        output: The scale of what it gives, past its relu; None in float.
        codes: Weights in Keras' layout, int8, or float32 where it stays in float; of a sum, none.
        scale: What a step of the codes is worth, float32 [channels]; none in float.
        bias: int32 [channels], or float32 in float; zeros where a file leaves them out.
    """

    name: str
    inputs: tuple[float | None, ...]
    output: float | None
    codes: NDArray[Any]
    scale: NDArray[np.float32]
    bias: NDArray[Any]

    @classmethod
    def total(cls, number: int, inputs: Iterable[float | None], output: float | None) -> Stored:
        """Return a residual sum; converters order its inputs as they like."""
        nothing = np.zeros(0, np.float32)
        return cls(f"sum {number}", tuple(sorted(inputs, key=str)), output, nothing, nothing, nothing)


def stored_in(path: Path) -> tuple[Stored, ...]:
    """Return what a ``.tflite`` or ``.onnx`` file of a bundle holds: its weighted layers in order, then its sums.

    Raises:
        ExportError: The file is neither.
    """
    if path.suffix == ".tflite":
        from exporters.integer.read_tflite import stored_in_tflite

        return tuple(stored_in_tflite(path.read_bytes()))
    if path.suffix == ".onnx":
        import onnx

        from exporters.integer.read_onnx import stored_in_onnx

        return tuple(stored_in_onnx(onnx.load(path)))
    raise ExportError(f"{path} is no .tflite or .onnx file.", remedy="Name an artifact of tflite, onnx or tensorrt.")


def differences(first: Sequence[Stored], second: Sequence[Stored]) -> tuple[str, ...]:
    """Return in words what differs between the integers of two files; nothing where they are the same."""
    names = [[each.name for each in side] for side in (first, second)]
    if names[0] != names[1]:
        return (f"other layers: {len(names[0])} and {len(names[1])}",)
    return tuple(line for ours, theirs in zip(first, second, strict=True) for line in _differences(ours, theirs))


def fingerprint(stored: Sequence[Stored]) -> str:
    """Return the sha256 over all integers and scales of a file: two files that hold the same have the same."""
    return sha256_json([[each.name, each.inputs, each.output, *map(_text, _arrays(each).values())] for each in stored])


def _differences(ours: Stored, theirs: Stored) -> Iterator[str]:
    if ours.inputs != theirs.inputs:
        yield f"{ours.name}: it reads steps of {ours.inputs}, and of {theirs.inputs}"
    if ours.output != theirs.output:
        yield f"{ours.name}: it gives steps of {ours.output}, and of {theirs.output}"
    for what, values in _arrays(ours).items():
        others = _arrays(theirs)[what]
        if values.shape != others.shape or values.dtype != others.dtype:
            yield f"{ours.name}: its {what} are {values.dtype} {values.shape}, and {others.dtype} {others.shape}"
        elif count := int((values != others).sum()):
            yield f"{ours.name}: {count} of its {values.size} {what} differ"


def _arrays(stored: Stored) -> dict[str, NDArray[Any]]:
    return {"weights": stored.codes, "weight scales": stored.scale, "biases": stored.bias}


def _text(values: NDArray[Any]) -> list[Any]:
    return [str(values.dtype), list(values.shape), np.ascontiguousarray(values).tobytes().hex()]
