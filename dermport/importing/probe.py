"""Which scaling a network was trained with, from photos without labels.

Batch normalisation keeps the mean and variance of what it read in training (Ioffe and Szegedy 2015). Fed photos as
then, a network's first ones read the like again; fed them otherwise, they do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.importing.scaling import SCALINGS, PixelScaling

if TYPE_CHECKING:
    import keras

_LAYERS = 5  # the first ones; further on, what the photos show weighs more than how they are scaled
PHOTOS = 64
CLEAR = 3.0  # how many times the best score the next one must be


def probe(
    network: keras.Model, photos: NDArray[np.uint8], candidates: Mapping[str, PixelScaling] = SCALINGS
) -> dict[str, float]:
    """Return how far what the first batch normalisations read is from what they stored, by scaling, the best first.

    Args:
        network: Of plain layers; takes what the original takes.
        photos: Prepared, uint8 [N, S, S, 3].
        candidates: What to try.

    Returns:
        A score for each: 0 is equal. Empty where the network has no batch normalisation.
    """
    import keras

    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)][:_LAYERS]
    if not norms:
        return {}
    reads = keras.Model(network.input, [layer.input for layer in norms])
    scores = {}
    for name, scaling in candidates.items():
        read = reads.predict_on_batch(scaling.apply(photos[:PHOTOS]))
        pairs = zip(norms, read if isinstance(read, list) else [read], strict=True)
        scores[name] = float(np.mean([_distance(norm, values) for norm, values in pairs]))
    return dict(sorted(scores.items(), key=lambda item: item[1]))


def _distance(norm: Any, values: NDArray[np.float32]) -> float:
    """Return how far the moments of [N, ..., C] are from the stored ones, in squares of their own size."""
    axes = tuple(range(values.ndim - 1))
    mean, variance = values.mean(axes, dtype=np.float64), values.var(axes, dtype=np.float64)
    stored_mean, stored = np.float64(norm.moving_mean), np.float64(norm.moving_variance) + norm.epsilon
    shift = np.minimum((mean - stored_mean) ** 2 / stored, 1e6)
    return float(np.mean(shift + 0.5 * np.log((variance + norm.epsilon) / stored) ** 2))


def decided(scores: Mapping[str, float]) -> str | None:
    """Return the scaling that the scores speak for; None where two of them are too close."""
    ordered = sorted(scores, key=scores.__getitem__)
    if len(ordered) < 2 or scores[ordered[1]] < CLEAR * scores[ordered[0]]:
        return None
    return ordered[0]
