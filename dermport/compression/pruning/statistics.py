"""The statistics of batch normalisation, measured again on training photos after the network was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

_BATCH = 64


def recalibrate(network: keras.Model, photos: NDArray[np.uint8]) -> None:
    """Let every batch normalisation hold the mean statistics of these photos (Wu and Johnson 2021, arXiv:2105.07576).

    Removing channels shifts what the layers behind receive. No weight is trained; it costs one pass over the photos.

    Args:
        network: Changed in place.
        photos: uint8 [N, S, S, 3].
    """
    layers = [layer for layer in network.layers if hasattr(layer, "moving_mean")]
    before = [(layer.momentum, layer.trainable) for layer in layers]
    for done, start in enumerate(range(0, len(photos), _BATCH)):
        for layer in layers:
            layer.momentum, layer.trainable = done / (done + 1), True  # the mean of the batches so far
        network(photos[start : start + _BATCH].astype(np.float32), training=True)
    for layer, (momentum, trainable) in zip(layers, before, strict=True):
        layer.momentum, layer.trainable = momentum, trainable
