"""Drawn photos that are alike, and others that are not."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def drawn(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """Return a picture of blotches, with a camera's grain: another seed draws others."""
    random = np.random.default_rng(seed)
    blotches = Image.fromarray(random.integers(40, 220, (15, 20, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = random.integers(-15, 16, (size[1], size[0], 1))
    return Image.fromarray((np.asarray(blotches) + grain).clip(0, 255).astype(np.uint8))


def save(path: Path, image: Image.Image, quality: int = 92) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=quality)
    return path


def write_csv(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path
