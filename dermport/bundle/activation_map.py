"""What a class activation map means, and where its cells lie in the photo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MEANING = "class activation map: what each cell adds to each label's calibrated logit; the mean over cells is the logit"
DRAWING: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text())
"""How maps are drawn; the web app reads the same file."""

# Keras' MobileNetV2 pads its five convolutions of stride 2 at the right and the bottom alone (correct_pad in
# keras.applications.imagenet_utils). Each one's windows so lie half an input pixel further right than an even division
# would put them: (1 + 2 + 4 + 8 + 16) / 2 = 15.5 pixels in all, were the windows used evenly. Trained weights do not:
# what moves a cell lies 8.9 pixels (95 % interval 8.1 to 9.7) from its even place, the mean of right and down, on 120
# test photos of a 192-pixel model of HAM10000 (python -m benchmarks.map_places). 9 of the 32 pixels of a cell it is.
SHIFT: float = DRAWING["shift"]  # of a cell


def places(side: int, cells: int) -> NDArray[np.float64]:
    """Return for each of `side` pixels of a row or column where it lies among the cells, float64 [side].

    0 is the centre of what the first cell sees, `cells` - 1 that of the last; pixels beyond either are given that cell.

    Args:
        side: Pixels along one side of the photo.
        cells: Cells along that side.
    """
    even = (np.arange(side) + 0.5) / side * cells - 0.5
    return np.asarray(np.clip(even - SHIFT, 0, cells - 1))


def spread(grid: NDArray[np.floating], side: int) -> NDArray[np.float64]:
    """Return a map [h, w] drawn smoothly over a photo, float64 [side, side]: bilinear between the cells' centres."""
    rows, columns = (_weights(places(side, cells), cells) for cells in grid.shape)
    return np.asarray(rows @ grid.astype(np.float64) @ columns.T)


def nearest_cells(shape: tuple[int, int], side: int) -> NDArray[np.int64]:
    """Return the number of each pixel's nearest cell, int64 [side, side], of a grid [h, w] counted row by row."""
    rows, columns = (np.rint(places(side, cells)).astype(np.int64) for cells in shape)
    return np.asarray(rows[:, None] * shape[1] + columns[None, :], np.int64)


def _weights(place: NDArray[np.float64], cells: int) -> NDArray[np.float64]:
    return np.asarray(np.clip(1 - np.abs(place[:, None] - np.arange(cells)), 0, None))
