"""Random textures and shapes as float32 maps: noise, Voronoi cells, dots and branching strokes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Map = NDArray[np.float32]
Point = tuple[float, float]

# Shapes are drawn this many times larger and averaged down, for Pillow draws without anti-aliasing.
_OVERSAMPLE = 3


def smoothstep(low: float | Map, high: float | Map, values: Map) -> Map:
    """Return 0 below `low`, 1 above `high` and a cubic between (the shading languages' function of that name)."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def noise(rng: np.random.Generator, shape: tuple[int, int], hills: float) -> Map:
    """Return smooth noise of mean 0 and standard deviation near 0.7 with about `hills` hills down the height."""
    rows = max(2, round(hills) + 1)
    columns = max(2, round(hills * shape[1] / shape[0]) + 1)
    grid = Image.fromarray(rng.standard_normal((rows, columns), dtype=np.float32))
    return np.asarray(grid.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def fractal(rng: np.random.Generator, shape: tuple[int, int], hills: float, octaves: int = 4) -> Map:
    """Return noise with detail of every size from height / `hills` down, each octave 0.6 times the last."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        total += noise(rng, shape, hills * 2**octave) * np.float32(0.6**octave)
    return total


def cells(rng: np.random.Generator, shape: tuple[int, int], spacing: float, jitter: float = 0.35) -> tuple[Map, Map]:
    """Return Voronoi cells about `spacing` pixels wide: (distance from the nearest border, in cells; a value per cell).

    The seeds lie on a triangular lattice, moved by up to `jitter` of a cell: 0 makes a honeycomb, 0.5 is irregular.
    The borders are bent, for living cells are not polygons. Values per cell are uniform in 0..1.
    """
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / np.float32(spacing) + 1
    hills = 0.7 * shape[0] / spacing
    x += (0.35 * noise(rng, shape, hills)).clip(-1, 1)
    y += (0.35 * noise(rng, shape, hills)).clip(-1, 1)
    rows, columns = int(shape[0] / spacing) + 6, int(shape[1] / spacing) + 6
    moves = rng.uniform(-jitter, jitter, (2, rows, columns)).astype(np.float32)
    values = rng.random((rows, columns), dtype=np.float32)
    row, nearest = y.astype(np.int32), np.full(shape, 9, np.float32)
    second, value = nearest.copy(), np.zeros(shape, np.float32)
    for i in range(3):
        shift = np.float32(0.5) * ((row + i) % 2)
        column = (x + shift).astype(np.int32)
        for j in range(3):
            seed = (row + i) * columns + column + j
            across = column + np.float32(j - 0.5) - shift + moves[0].take(seed) - x
            down = row + np.float32(i - 0.5) + moves[1].take(seed) - y
            square = across * across + down * down
            closer = square < nearest
            second = np.minimum(second, np.maximum(square, nearest))
            value = np.where(closer, values.take(seed), value)
            nearest = np.minimum(nearest, square)
    return np.sqrt(second) - np.sqrt(nearest), value


def dots(shape: tuple[int, int], circles: Iterable[tuple[float, float, float]], blur: float = 0.6) -> Map:
    """Return 0..1: discs (x, y, radius in pixels), their edges softened by `blur` pixels."""
    canvas, draw = _canvas(shape)
    for x, y, radius in circles:
        box = [(value + 0.5) * _OVERSAMPLE for value in (x - radius, y - radius, x + radius, y + radius)]
        draw.ellipse(box, fill=255)
    return _finish(canvas, blur)


def strokes(shape: tuple[int, int], lines: Iterable[tuple[Sequence[Point], float]], blur: float = 0.5) -> Map:
    """Return 0..1: polylines ([(x, y), ...], width in pixels), softened by `blur` pixels."""
    canvas, draw = _canvas(shape)
    for points, width in lines:
        scaled = [((x + 0.5) * _OVERSAMPLE, (y + 0.5) * _OVERSAMPLE) for x, y in points]
        draw.line(scaled, fill=255, width=max(1, round(width * _OVERSAMPLE)), joint="curve")
    return _finish(canvas, blur)


def wander(
    rng: np.random.Generator, start: Point, heading: float, length: float, *, bend: float, steps: int = 12
) -> list[Point]:
    """Return a curved path from `start` (pixels) of about `length` pixels; `bend` is the turn along it, radians."""
    headings = heading + np.cumsum(rng.normal(0, bend / steps**0.5, steps)) + np.linspace(0, rng.normal(0, bend), steps)
    x = start[0] + np.cumsum(np.cos(headings)) * length / steps
    y = start[1] + np.cumsum(np.sin(headings)) * length / steps
    return [start, *zip(x.tolist(), y.tolist(), strict=True)]


def _canvas(shape: tuple[int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    canvas = Image.new("L", (shape[1] * _OVERSAMPLE, shape[0] * _OVERSAMPLE))
    return canvas, ImageDraw.Draw(canvas)


def _finish(canvas: Image.Image, blur: float) -> Map:
    small = canvas.reduce(_OVERSAMPLE)
    soft = small.filter(ImageFilter.GaussianBlur(blur)) if blur else small
    return np.asarray(soft, dtype=np.float32) / np.float32(255)
