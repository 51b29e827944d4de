"""What one layer of an exported integer model holds, in the same words for every format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
