"""Whether a photo is worth predicting: its size, light, sharpness and grain, and whether it shows anything at all.

The same survey as the web app's (``dermport/mobile_stub/web/engine/quality.js``), value for value, against the same
bounds: ``photo_quality.json``, which also says how each was found. It advises; whoever asks decides what follows. It is
no judgement of the lesion, and says nothing of whether a model knows what it is shown.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermport.bundle.manifest import Crop, InputColour, Preprocessing

_BLOCKS = 16
_MARGIN = 2  # blocks at each edge that are left out: dermatoscopes darken the corners
_LEAST = 8  # cells a side, below which nothing is said of sharpness and grain
_SAMPLES = 12  # pixels a side that are read of a cell, where there are as many: they average the camera's noise
_FLOOR = 4.0  # levels²: the variance that noise and rounding leave in an even picture
_NORMAL = 0.6745  # the median of |x|, x of the standard normal distribution
_BLACK, _WHITE = 4.0, 251.0  # grey levels beyond which a sensor, or a JPEG, no longer tells shades apart
_BINOMIAL = (1, 4, 6, 4, 1)
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601

Grey = NDArray[np.float32]
Blocks = NDArray[np.float64]


@dataclass(frozen=True)
class Bound:
    """What a value is held against.

    Attributes:
        code: The hint's name, e.g. ``"blurred"``.
        side: On which side of the threshold the hint is given.
        threshold: In the unit that `what` names.
        what: The value in words.
    """

    code: str
    side: Literal["below", "above"]
    threshold: float
    what: str

    def exceeded(self, value: float | None) -> bool:
        """Return whether the hint is given; never for a value that cannot be said."""
        if value is None:
            return False
        return value < self.threshold if self.side == "below" else value > self.threshold


@dataclass(frozen=True)
class PhotoQuality:
    """What was found of one photo.

    Attributes:
        width: Of the stored photo, pixels.
        height: Likewise.
        light: Mean grey level of what the model sees, 0 to 255.
        black: Share of its pixels that are black (grey level of 4 or less): under-exposed, or a dermoscope's border.
        white: Share of its pixels that are white (251 or more): over-exposed, or a reflection.
        values: What is held against the bounds, by the hint's code; None where it cannot be said.
        hints: The codes of the bounds that are exceeded, in the order of ``photo_quality.json``.
    """

    width: int
    height: int
    light: float
    black: float
    white: float
    values: Mapping[str, float | None]
    hints: tuple[str, ...]


@functools.cache
def bounds() -> tuple[Bound, ...]:
    """Return the bounds, in the order in which hints are given."""
    hints = _definition()["hints"]
    return tuple(Bound(one["code"], one["side"], float(one["threshold"]), one["what"]) for one in hints)


def survey(stored: Image.Image, tensor: NDArray[np.uint8], spec: Preprocessing, orientation: int = 1) -> PhotoQuality:
    """Look at a photo that is decoded already.

    Args:
        stored: RGB, as stored: not turned, not cropped.
        tensor: What ``dermport-prep/1`` makes of it, uint8 [S, S, 3].
        spec: By which definition.
        orientation: The EXIF orientation that was applied, 1 to 8.
    """
    samples, grid = _sampled(stored, _seen(stored.size, orientation, spec.crop))
    dark, bright = _ranks(grid)
    grain = _grain(_grey(tensor))
    values = {
        "too-small": min(stored.size) / spec.size,
        "too-dark": bright,
        "too-bright": dark,
        "blurred": _left_after_blur(grid),
        "noisy": grain,
        "over-compressed": grain,
        "no-lesion": _range_of_blocks(_block_means(tensor)),
    }
    return PhotoQuality(
        width=stored.width,
        height=stored.height,
        light=float(samples.mean()),
        black=float(np.mean(samples <= _BLACK)),
        white=float(np.mean(samples >= _WHITE)),
        values={bound.code: values[bound.code] for bound in bounds()},
        hints=tuple(bound.code for bound in bounds() if bound.exceeded(values[bound.code])),
    )


INPUT_COLOURS: tuple[InputColour, ...] = get_args(InputColour)
"""What :func:`survey_input` tells of the input's colours: means of 16 x 16 blocks, and how far they spread."""


def survey_input(tensor: NDArray[np.uint8]) -> dict[str, float | None]:
    """Look at the model's input alone, uint8 [S, S, 3]: equal inputs have equal values, on whatever device they are.

    Returns the values that :func:`survey` holds against the bounds, read from every pixel of the input instead of the
    stored photo, by the hint's code (how large the photo was cannot be seen: there is no "too-small"); and
    :data:`INPUT_COLOURS`: of the means of 16 x 16 blocks of R, G and B, the mean of (R + G + B) / 3, R - G and
    (R + G) / 2 - B, and log(1 + standard deviation) of each.
    """
    grey = _grey(tensor)
    dark, bright = _ranks(grey)
    grain = _grain(grey)
    blocks = _block_means(tensor)
    return {
        "too-dark": bright,
        "too-bright": dark,
        "blurred": _left_after_blur(grey),
        "noisy": grain,
        "over-compressed": grain,
        "no-lesion": _range_of_blocks(blocks),
        **_colours(blocks),
    }


def _colours(blocks: Blocks | None) -> dict[str, float | None]:
    if blocks is None:
        return dict.fromkeys(INPUT_COLOURS)
    red, green, blue = np.moveaxis(blocks, 2, 0)
    planes = ((red + green + blue) / 3, red - green, (red + green) / 2 - blue)
    spreads = (math.log(1 + float(plane.std())) for plane in planes)
    return dict(zip(INPUT_COLOURS, (*(float(plane.mean()) for plane in planes), *spreads), strict=True))


@functools.cache
def _definition() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return document


def _seen(size: tuple[int, int], orientation: int, crop: Crop) -> tuple[int, int, int, int]:
    """Return where the crop lies among the stored pixels: (left, top, right, bottom)."""
    width, height = size
    if crop == "full-frame":
        return 0, 0, width, height
    side = min(size)
    left, top = (width - side) // 2, (height - side) // 2
    if orientation in {2, 3, 7, 8}:  # mirrored: the odd pixel is left over on the other side
        left = width - left - side
    if orientation in {3, 4, 6, 7}:
        top = height - top - side
    return left, top, left + side, top + side


def _sampled(stored: Image.Image, box: tuple[int, int, int, int]) -> tuple[NDArray[np.float64], Grey]:
    """Return the grey levels of the pixels that are read, and the small picture that they make, [rows, columns]."""
    width, height = stored.size
    scale = min(1.0, _definition()["grid"]["value"] / min(stored.size))
    across, down = (max(1, math.floor(side * scale + 0.5)) for side in stored.size)
    step = max(1, math.floor(1 / (_SAMPLES * scale)))
    left, top, right, bottom = box
    columns = np.arange(-(-left // step) * step, right, step)
    rows = np.arange(-(-top // step) * step, bottom, step)
    pixels = np.asarray(stored)[rows[0] : bottom : step, columns[0] : right : step].astype(np.float64)
    grey = pixels[..., 0] * _LUMA[0] + pixels[..., 1] * _LUMA[1] + pixels[..., 2] * _LUMA[2]
    cell_rows, cell_columns = rows * down // height, columns * across // width
    cells = (cell_rows - cell_rows[0])[:, None] * across + (cell_columns - cell_columns[0])[None, :]
    counts = np.bincount(cells.ravel())
    sums = np.bincount(cells.ravel(), grey.ravel())
    filled = counts > 0
    means = (sums[filled] / counts[filled]).astype(np.float32)
    return grey, means.reshape(-1, cell_columns[-1] - cell_columns[0] + 1)


def _grey(tensor: NDArray[np.uint8]) -> Grey:
    red, green, blue = (tensor[..., channel] * weight for channel, weight in enumerate(_LUMA))
    return np.asarray(red + green + blue, np.float32)


def _ranks(grid: Grey) -> tuple[float, float]:
    """Return the 5th and 95th percentile, as members of the picture."""
    ordered = np.sort(grid, axis=None)
    last = len(ordered) - 1
    return float(ordered[math.floor(0.05 * last)]), float(ordered[math.floor(0.95 * last)])


def _left_after_blur(grid: Grey) -> float | None:
    if min(grid.shape) < _LEAST:
        return None
    blurred = _convolved(_convolved(grid, 1), 0)
    return (_variance_of_laplacian(blurred) + _FLOOR) / (_variance_of_laplacian(grid) + _FLOOR)


def _grain(grey: Grey) -> float | None:
    """Return the standard deviation of what differs from pixel to pixel, grey levels.

    The mask of Immerkær 1996 (doi:10.1006/cviu.1996.0060), which planes and straight edges leave at nought, and the
    median of its sizes, as Donoho and Johnstone 1994 take it of a wavelet's, so that a few hairs hardly count (hair all
    over does).
    """
    if min(grey.shape) < _LEAST:
        return None
    across = np.diff(grey.astype(np.float64), 2, axis=1)
    sizes = np.abs(np.diff(across, 2, axis=0)).ravel()
    middle = (len(sizes) - 1) // 2
    return float(np.partition(sizes, middle)[middle]) / (6 * _NORMAL)  # 6: the root of the mask's squares


def _variance_of_laplacian(grid: Grey) -> float:
    wide = grid.astype(np.float64)
    around = wide[1:-1, :-2] + wide[1:-1, 2:] + wide[:-2, 1:-1] + wide[2:, 1:-1]
    return float(np.var(around - 4 * wide[1:-1, 1:-1]))


def _convolved(grid: Grey, axis: int) -> Grey:
    """Return the picture, each line along `axis` with the binomial weights; edges are repeated."""
    length = grid.shape[axis]
    padded = np.pad(grid.astype(np.float64), [(2, 2) if one == axis else (0, 0) for one in (0, 1)], mode="edge")
    total = np.zeros(grid.shape)
    for at, weight in enumerate(_BINOMIAL):
        taken = slice(at, at + length)
        total += weight * (padded[taken] if axis == 0 else padded[:, taken])
    return (total / sum(_BINOMIAL)).astype(np.float32)


def _range_of_blocks(blocks: Blocks | None) -> float | None:
    if blocks is None:
        return None
    inside = blocks.mean(axis=2)[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return float(inside.max() - inside.min())


def _block_means(tensor: NDArray[np.uint8]) -> Blocks | None:
    """Return the means of 16 x 16 blocks, float64 [16, 16, 3], of uint8 [S, S, 3]; None where S is less than 16."""
    if len(tensor) < _BLOCKS:
        return None
    starts = -(-np.arange(_BLOCKS) * len(tensor) // _BLOCKS)
    rows = np.add.reduceat(tensor, starts, axis=0, dtype=np.int64)
    sides = np.diff(starts, append=len(tensor))
    return np.asarray(np.add.reduceat(rows, starts, axis=1) / np.outer(sides, sides)[..., None])
