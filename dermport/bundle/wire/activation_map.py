"""A class activation map as it travels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dermport.bundle.activation_map import MEANING, SHIFT
from dermport.bundle.wire.base import Message

Grid = tuple[tuple[float, ...], ...]
"""A map of one label: rows of cells, from the photo's top left."""


class ActivationMap(Message):
    """Where the model saw what it answers; research and education, and no statement of what is ill."""

    grids: Annotated[
        dict[str, Grid], Field(description="by label id: rows of cells from the top left, in units of the logit")
    ]
    shape: Annotated[tuple[int, int], Field(description="rows and columns of cells")]
    shift: Annotated[
        float,
        Field(description="cells by which each lies further to the lower right than an even division puts it"),
    ] = SHIFT
    meaning: str = MEANING


def grids_of(cells: NDArray[np.float32], labels: Sequence[str]) -> dict[str, Grid]:
    """Return a map float32 [h, w, C] by label id, to six significant digits."""
    return {label: _rows(cells[..., place]) for place, label in enumerate(labels)}


def _rows(grid: NDArray[np.float32]) -> Grid:
    return tuple(tuple(float(f"{value:.6g}") for value in row) for row in grid)
