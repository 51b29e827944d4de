"""What lies over the skin in a dermatoscopic photo: hairs, gel bubbles, a ruler, the dermatoscope's dark rim."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from dermport.training.sample.fields import Map, Point, smoothstep, wander
from dermport.training.sample.skin import Person

_DARK, _BRIGHT = 255, 170


def hairs(person: Person, rng: np.random.Generator, size: tuple[int, int]) -> Image.Image | None:
    """Return "L" coverage 0..255 of the person's hairs at full `size` (width, height), or None if there are none."""
    count = int(rng.poisson(person.hair))
    if not count:
        return None
    width, height = size
    canvas = Image.new("L", (width * 2, height * 2))
    draw = ImageDraw.Draw(canvas)
    heading = rng.uniform(0, 2 * np.pi)  # hairs of one place lie roughly one way
    for _ in range(count):
        start = (float(rng.uniform(0, 2 * width)), float(rng.uniform(0, 2 * height)))
        length = float(rng.uniform(0.15, 0.9)) * 2 * width
        path = wander(rng, start, float(rng.normal(heading, 0.5)), length, bend=0.5, steps=24)
        draw.line(path, fill=_DARK, width=max(1, round(float(rng.uniform(1.6, 4.2)) * width / 600)), joint="curve")
    return canvas.reduce(2).filter(ImageFilter.GaussianBlur(0.5))


def ruler(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Return "L" coverage of a millimetre scale along one edge, as some dermatoscopes' contact plates have."""
    width, height = size
    canvas = Image.new("L", size)
    draw = ImageDraw.Draw(canvas)
    step, line = width * float(rng.uniform(0.045, 0.06)), max(1, round(width / 400))
    base = height * float(rng.uniform(0.93, 0.98))
    for tick in range(int(width / step) + 1):
        length = height * (0.07 if tick % 5 == 0 else 0.035)
        x = tick * step
        draw.line([(x, base), (x, base - length)], fill=200, width=line)
    edges = [canvas, canvas.transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    return edges[int(rng.integers(2))].filter(ImageFilter.GaussianBlur(0.6))


def bubbles(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Return "L" coverage of the bright rims of bubbles in the contact gel."""
    width, height = size
    canvas = Image.new("L", size)
    draw = ImageDraw.Draw(canvas)
    near: Point = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
    for _ in range(int(rng.integers(3, 16))):
        x, y = rng.normal(near[0], width * 0.15), rng.normal(near[1], width * 0.15)
        radius = width * float(rng.uniform(0.004, 0.022))
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=_BRIGHT, width=max(1, round(radius / 5)))
        draw.arc([x - radius / 2, y - radius / 2, x + radius / 2, y + radius / 2], 200, 280, fill=255, width=2)
    return canvas.filter(ImageFilter.GaussianBlur(0.8))


def rim(rng: np.random.Generator, shape: tuple[int, int]) -> Map:
    """Return float32 [H, W]: the light in a dermatoscope's round field, 1 inside and near 0 in the corners."""
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    centre_x, centre_y = width * (0.5 + rng.normal(0, 0.02)), height * (0.5 + rng.normal(0, 0.02))
    away = np.hypot(x - centre_x, y - centre_y) / (width / 2)
    edge = float(rng.uniform(0.97, 1.22))
    return 1 - np.float32(0.97) * smoothstep(edge - float(rng.uniform(0.02, 0.2)), edge + 0.03, away)
