"""Photos that show no lesion: a folder of a person's own, or drawn ones."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermport.bundle.manifest import Preprocessing
from dermport.bundle.photo_folder import photos_below, readable
from dermport.bundle.prep import prepare
from dermport.errors import DataError, PhotoError
from dermport.training.sample.fields import fractal
from dermport.training.sample.pigment import colour
from dermport.training.sample.skin import draw_person, healthy_skin

DRAWN = 40  # photos of a kind
_SHAPE = (150, 200)
Groups = dict[str, NDArray[np.uint8]]


def other_photos(folder: Path, spec: Preprocessing) -> Groups:
    """Return the model's inputs, uint8 [N, S, S, 3], of every photo below a folder, by its first subfolder.

    Raises:
        DataError: There is no photo, or one is refused.
    """
    found: dict[str, list[NDArray[np.uint8]]] = defaultdict(list)
    for path in photos_below(folder):
        below = path.relative_to(folder).parts
        try:
            found[below[0] if len(below) > 1 else folder.name].append(prepare(path.read_bytes(), spec).tensor)
        except (OSError, PhotoError) as error:
            raise DataError(f"{readable(path)} cannot be read: {error}", remedy="Remove it from the folder.") from error
    if not found:
        raise DataError(f"{folder} holds no JPEG or PNG.", remedy="Name a folder of photos that show no lesion.")
    return {name: np.stack(tensors) for name, tensors in found.items()}


def drawn_photos(spec: Preprocessing, seed: int, count: int = DRAWN) -> Groups:
    """Return drawn inputs that show no lesion, uint8 [count, S, S, 3] of each kind; the same seed draws the same."""
    return {
        f"drawn: {name}": np.stack([_prepared(draw(np.random.default_rng((seed, at))), spec) for at in range(count)])
        for name, draw in _KINDS.items()
    }


def _prepared(pixels: NDArray[np.floating], spec: Preprocessing) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return prepare(file.getvalue(), spec).tensor


def _skin(random: np.random.Generator) -> NDArray[np.floating]:
    return np.asarray(colour(healthy_skin(draw_person(random), random, _SHAPE)) * 255)


def _texture(random: np.random.Generator) -> NDArray[np.floating]:
    planes = [fractal(random, _SHAPE, float(random.uniform(2, 30))) for _ in range(3)]
    return np.stack(planes, axis=-1) * random.uniform(20, 80) + random.uniform(60, 200, 3)


def _gradient(random: np.random.Generator) -> NDArray[np.floating]:
    along = np.linspace(0, 1, _SHAPE[1])[None, :, None] * np.ones((_SHAPE[0], 1, 1))
    first, last = random.uniform(0, 255, (2, 3))
    return np.asarray(first + along * (last - first))


_KINDS: dict[str, Callable[[np.random.Generator], NDArray[np.floating]]] = {
    "skin without a lesion": _skin,
    "textures": _texture,
    "gradients": _gradient,
}
