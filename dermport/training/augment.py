"""Augmentation: one random affine map per photo (flips, rotation, zoom, shifts) and colour changes.

All randomness is drawn with numpy from a generator that the caller seeds, so that an epoch can be repeated exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Augmentation:
    """How far a photo may be changed; every amount is drawn uniformly between its two signs.

    Attributes:
        rotation: Degrees.
        zoom: Share of the size.
        shift: Share of the size, for each axis.
        flips: Whether to mirror, each axis with probability one half.
        contrast: Share by which the distance of a photo's values from their middle changes.
        colour: Share by which each channel is scaled (light and white balance).
    """

    rotation: float = 10.0
    zoom: float = 0.1
    shift: float = 0.15
    flips: bool = True
    contrast: float = 0.0
    colour: float = 0.0


PUBLISHED = Augmentation()
GENTLE = Augmentation(shift=0.05)
# Seen through a dermatoscope there is no up and no down, so that every angle is as likely.
STRONG = Augmentation(rotation=180.0, zoom=0.15, shift=0.1, contrast=0.15, colour=0.1)


def augment(photos: NDArray[np.uint8], augmentation: Augmentation, random: np.random.Generator) -> NDArray[np.float32]:
    """Return changed copies, float32 [N, S, S, 3] within 0..255, of uint8 [N, S, S, 3]; edges are mirrored."""
    moved = _moved(photos, affine_maps(len(photos), photos.shape[1], augmentation, random))
    return _recolour(moved, augmentation, random)


def augment_each(
    photos: NDArray[np.uint8], augmentation: Augmentation, randoms: Sequence[np.random.Generator]
) -> NDArray[np.float32]:
    """Return what :func:`augment` does, with a generator for each photo: the same change in whatever batch it is."""
    size = photos.shape[1]
    moved = _moved(photos, np.concatenate([affine_maps(1, size, augmentation, random) for random in randoms]))
    changed = [_recolour(moved[i : i + 1], augmentation, random) for i, random in enumerate(randoms)]
    return np.concatenate(changed)


def _moved(photos: NDArray[np.uint8], maps: NDArray[np.float32]) -> NDArray[np.float32]:
    import keras

    moved = keras.ops.image.affine_transform(
        photos.astype(np.float32), maps, interpolation="bilinear", fill_mode="reflect"
    )
    return np.asarray(keras.ops.convert_to_numpy(moved))


def affine_maps(count: int, size: int, augmentation: Augmentation, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw `count` maps from a place in the result to one in the photo, about the photo's centre.

    Returns:
        float32 [count, 8], the first two rows of each 3 x 3 matrix and two zeros, in pixels (x, y), as
        ``keras.ops.image.affine_transform`` takes them.
    """
    angle = np.deg2rad(_between(augmentation.rotation, random, count))
    scale = 1 + _between(augmentation.zoom, random, count)
    mirror = random.choice((-1.0, 1.0), size=(2, count)) if augmentation.flips else np.ones((2, count))
    shift = _between(augmentation.shift * size, random, (2, count))
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    rows = np.stack([cosine * mirror[0], -sine * mirror[0], sine * mirror[1], cosine * mirror[1]], axis=1)
    centre = (size - 1) / 2
    offset_x = centre + shift[0] - (rows[:, 0] + rows[:, 1]) * centre
    offset_y = centre + shift[1] - (rows[:, 2] + rows[:, 3]) * centre
    zero = np.zeros(count)
    columns = [rows[:, 0], rows[:, 1], offset_x, rows[:, 2], rows[:, 3], offset_y, zero, zero]
    return np.stack(columns, axis=1).astype(np.float32)


def _between(amount: float, random: np.random.Generator, shape: int | tuple[int, ...]) -> NDArray[np.float64]:
    return np.asarray(random.uniform(-amount, amount, shape))


def _recolour(
    photos: NDArray[np.float32], augmentation: Augmentation, random: np.random.Generator
) -> NDArray[np.float32]:
    if not (augmentation.contrast or augmentation.colour):
        return photos
    contrast = 1 + _between(augmentation.contrast, random, (len(photos), 1, 1, 1))
    gain = 1 + _between(augmentation.colour, random, (len(photos), 1, 1, 3))
    middle = photos.mean(axis=(1, 2, 3), keepdims=True)
    slope, offset = gain * contrast, gain * middle * (1 - contrast)
    changed = photos * slope.astype(np.float32) + offset.astype(np.float32)
    return np.asarray(np.clip(changed, 0, 255))
