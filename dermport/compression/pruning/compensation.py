"""What the channels that go said, as far as those that stay can say it: the readers' weights by least squares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.compression.pruning.selection import Kept
from dermport.compression.pruning.spaces import Space

if TYPE_CHECKING:
    import keras

Moments = tuple[NDArray[np.float64], NDArray[np.float64]]
"""The mean [channels] of a layer's inputs, and their covariance [channels, channels], over photos and places."""
_BATCH = 8
_RIDGE = 0.01  # of the channels' mean variance: keeps corrections small where the photos say little


def compensate(network: keras.Model, spaces: Sequence[Space], kept: Kept, photos: NDArray[np.uint8]) -> None:
    """Change what reads narrowed spaces so that it gives, from the channels that stay, nearly what it gave from all.

    Least squares over all places of the photos (as He et al. 2017, arXiv:1707.06168, section 3.1), in closed form from
    the covariance C of the reader's inputs. With S the channels that stay and G those that go, the weights of S become
    W_S + (C_SS + ridge)^-1 C_SG W_G. A reader's bias takes the means; where batch normalisation follows instead, its
    statistics have to be measured anew.

    Args:
        network: Still whole; changed in place. The weights of G are left as they are, to be cut off.
        spaces: Of the network.
        kept: The channels that stay, by space.
        photos: Training photos, uint8 [N, S, S, 3].
    """
    readers = _readers(network, spaces, kept)
    moments = _moments(network, tuple(readers), photos)
    for name, stay in readers.items():
        layer = network.get_layer(name)
        kernel, *bias = layer.get_weights()
        flat = kernel.reshape(kernel.shape[-2:])
        gone = np.delete(flat, stay, axis=0)
        mixing, means = _mixing(*moments[name], stay)
        flat[stay] += mixing @ gone
        layer.set_weights([flat.reshape(kernel.shape), *(one + means @ gone for one in bias)])


def _readers(network: keras.Model, spaces: Sequence[Space], kept: Kept) -> Mapping[str, NDArray[np.int64]]:
    """Return the channels that stay, by the layers that read them at one place at a time."""
    return {
        name: kept[space.name]
        for space in spaces
        if len(kept[space.name]) < space.width
        for name in space.readers
        if getattr(network.get_layer(name), "kernel_size", (1, 1)) == (1, 1)
    }


def _mixing(
    mean: NDArray[np.float64], covariance: NDArray[np.float64], stay: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how the channels that go follow from those that stay: factors [stay, go], and constants [go]."""
    go = np.delete(np.arange(len(mean)), stay)
    ridge = _RIDGE * np.trace(covariance) / len(mean) * np.eye(len(stay))
    mixing = np.linalg.solve(covariance[np.ix_(stay, stay)] + ridge, covariance[np.ix_(stay, go)])
    return mixing, mean[go] - mean[stay] @ mixing


def _moments(network: keras.Model, names: Sequence[str], photos: NDArray[np.uint8]) -> dict[str, Moments]:
    """Return mean and covariance of the inputs of some layers."""
    import keras

    probe = keras.Model(network.input, [network.get_layer(name).input for name in names])
    sums: list[list[NDArray[np.float64]]] = [[np.zeros(()), np.zeros(()), np.zeros(())] for _ in names]
    for start in range(0, len(photos), _BATCH):
        values = keras.tree.flatten(probe.predict_on_batch(photos[start : start + _BATCH].astype(np.float32)))
        for total, value in zip(sums, values, strict=True):
            rows = value.reshape(-1, value.shape[-1])
            parts = (np.asarray(len(rows)), rows.sum(axis=0, dtype=np.float64), (rows.T @ rows).astype(np.float64))
            total[:] = [one + part for one, part in zip(total, parts, strict=True)]
    means = [(total / count, products / count) for count, total, products in sums]
    return {name: (mean, product - np.outer(mean, mean)) for name, (mean, product) in zip(names, means, strict=True)}
