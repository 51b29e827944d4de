"""The deletion test: does taking away what a map points at take away the answer?

Petsiuk et al. 2018, "RISE" (https://arxiv.org/abs/1806.07421): cells of the photo are replaced by a blurred copy, those
with the largest values of the map first, and the predicted label's probability is followed. A map that points at what
matters makes it fall sooner than cells in random order do, and cells with the smallest values make it fall later.
Beginning with the smallest is also the insertion test, read backwards: a blurred photo to which the largest come back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from dermport.bundle.activation_map import nearest_cells
from dermport.progress import Update

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
ORDERS = ("largest first", "random", "smallest first")
_BLUR = 0.08  # of the photo's side: structures of a lesion are gone, its mean colour stays


@dataclass(frozen=True)
class Deletion:
    """The curves of some photos.

    Attributes:
        shares: The share of cells that is blurred, [steps + 1], from 0 to 1.
        curves: By the order of deletion: the predicted label's probability, float64 [N, steps + 1].
    """

    shares: NDArray[np.float64]
    curves: Mapping[str, NDArray[np.float64]]

    def areas(self, order: str) -> NDArray[np.float64]:
        """Return the area under each photo's curve, [N]; 0..1, small where the probability falls soon."""
        return np.asarray(np.trapezoid(self.curves[order], self.shares, axis=1))


def deletion_curves(
    answer: Answer,
    photos: NDArray[np.uint8],
    maps: NDArray[np.float32],
    *,
    steps: int = 12,
    seed: int = 0,
    update: Update | None = None,
) -> Deletion:
    """Follow the predicted label's probability while cells are blurred, in each of :data:`ORDERS`.

    Args:
        answer: Gives probabilities float32 [N, C] of photos uint8 [N, S, S, 3].
        photos: The photos, uint8 [N, S, S, 3].
        maps: Their class activation maps, float32 [N, h, w, C].
        steps: In how many steps all cells are blurred.
        seed: Of the random order.
        update: Called with (photos, in all).
    """
    random = np.random.default_rng(seed)
    shape = (maps.shape[1], maps.shape[2])
    cells = shape[0] * shape[1]
    counts = np.rint(np.linspace(0, cells, min(steps, cells) + 1)).astype(int)
    rows: list[list[NDArray[np.float64]]] = []
    for number, (photo, grid) in enumerate(zip(photos, maps, strict=True), 1):
        label = int(grid.mean(axis=(0, 1)).argmax())
        falling = np.argsort(-grid[..., label].reshape(-1), kind="stable")
        orders = (falling, random.permutation(cells), falling[::-1])
        stages = [blurred_cells(photo, shape, order[:count]) for order in orders for count in counts]
        scores = answer(np.stack(stages))[:, label].astype(np.float64).reshape(len(ORDERS), -1)
        rows.append(list(scores))
        if update is not None:
            update(number, len(photos))
    return Deletion(counts / cells, {name: np.stack([row[i] for row in rows]) for i, name in enumerate(ORDERS)})


def blurred_cells(photo: NDArray[np.uint8], shape: tuple[int, int], cells: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return a photo, uint8 [S, S, 3], with what some cells of a grid [h, w] see taken from a blurred copy of it."""
    blurred = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(_BLUR * photo.shape[0])))
    chosen = np.isin(nearest_cells(shape, photo.shape[0]), cells)
    return np.where(chosen[..., None], blurred, photo)
