"""Training photos that importance, compensation and statistics are measured on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.compression.context import Context


@dataclass(frozen=True)
class Sample:
    """Photos to measure on.

    Attributes:
        photos: uint8 [N, S, S, 3].
        targets: One-hot float32 [N, C], or [N, 1] for one logit.
        weights: What an error on each photo costs, float32 [N].
    """

    photos: NDArray[np.uint8]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]

    def part(self, start: int, end: int) -> Sample:
        """Return the photos from `start` to before `end`."""
        return Sample(self.photos[start:end], self.targets[start:end], self.weights[start:end])


def draw_sample(context: Context, photos: int) -> Sample:
    """Return `photos` training photos, or all where there are fewer; the same ones each time."""
    there = len(context.parts.train.records)
    random = np.random.default_rng((context.seed, 3))
    indices = np.sort(random.choice(there, min(photos, there), replace=False))
    targets = context.targets()
    weights = targets.class_weights[targets.train[indices]]
    return Sample(context.parts.train.some_tensors(indices), targets.encoded(indices), weights)
