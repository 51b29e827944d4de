"""What the stored tensors of a float network hold: the extremes of each channel, its mean, and a histogram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.compression.quantisation.graph import KerasGraph

if TYPE_CHECKING:
    import keras

BATCH = 16
BINS = 4096
_SAMPLE = 100_003  # values a batch: a prime, so that the stride meets every channel


@dataclass(frozen=True)
class ChannelStatistics:
    """A tensor's channels over all photos and places, each float64 [channels]."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]
    square: NDArray[np.float64]

    @property
    def reach(self) -> float:
        """The largest distance from 0."""
        return float(max(self.high.max(), -self.low.min()))


def channel_statistics(network: keras.Model, photos: NDArray[np.uint8]) -> dict[str, ChannelStatistics]:
    """Return the channels of each stored tensor.

    Args:
        network: A folded network.
        photos: Calibration photos, uint8 [N, S, S, 3].
    """
    sites = KerasGraph.of(network).sites
    parts: dict[str, list[NDArray[np.float64]]] = {site: [] for site in sites}
    for values in _batches(network, sites, photos):
        for site, value in zip(sites, values, strict=True):
            rows = value.reshape(-1, value.shape[-1])
            mean, square = rows.mean(axis=0, dtype=np.float64), np.einsum("nc,nc->c", rows, rows) / len(rows)
            parts[site].append(np.stack([rows.min(axis=0), rows.max(axis=0), mean * len(value), square * len(value)]))
    found = {}
    for site, stacked in parts.items():
        low, high, mean, square = np.stack(stacked, axis=1)
        found[site] = ChannelStatistics(low.min(0), high.max(0), mean.sum(0) / len(photos), square.sum(0) / len(photos))
    return found


def histograms(
    network: keras.Model, photos: NDArray[np.uint8], reach: Mapping[str, float]
) -> dict[str, NDArray[np.float64]]:
    """Return how often each absolute value occurs in each stored tensor, float64 [BINS] over 0..`reach`."""
    sites = tuple(reach)
    counts = {site: np.zeros(BINS) for site in sites}
    for values in _batches(network, sites, photos):
        for site, value in zip(sites, values, strict=True):
            some = value.ravel()[:: max(1, value.size // _SAMPLE)]
            bins = (np.abs(some) * (BINS / max(reach[site], 1e-12))).astype(np.int32)
            counts[site] += np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)
    return counts


def _batches(
    network: keras.Model, sites: tuple[str, ...], photos: NDArray[np.uint8]
) -> Iterator[list[NDArray[np.float32]]]:
    import keras

    probe = keras.Model(network.input, [network.get_layer(site).output for site in sites])
    for start in range(0, len(photos), BATCH):
        yield probe.predict_on_batch(photos[start : start + BATCH].astype(np.float32))
