"""A table of integers held against the layers of a converted file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError
from dermport.exporters.integer.pattern import Layer

_Ours = TypeVar("_Ours")
_Theirs = TypeVar("_Theirs")


def pairs(what: str, ours: Sequence[_Ours], theirs: Sequence[_Theirs]) -> list[tuple[_Ours, _Theirs]]:
    """Return the k-th of the table with the k-th of the file: the network is a chain, so that both have one order.

    Raises:
        ExportError: There are not equally many.
    """
    if len(ours) != len(theirs):
        raise ExportError(f"The model has {len(ours)} {what}, the converted file {len(theirs)}.")
    return list(zip(ours, theirs, strict=True))


def require_weights(layer: Layer, found: NDArray[Any], wanted: NDArray[np.float32]) -> None:
    """Refuse a converted layer whose weights are not those of the Keras layer.

    Raises:
        ExportError: They differ: the converter changed them, or ordered the layers otherwise.
    """
    if found.shape != wanted.shape or not np.array_equal(found, wanted):
        raise ExportError(
            f"The converted file holds other weights than the layer {layer.name}, so that its integers cannot be used."
        )
