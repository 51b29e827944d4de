"""How far int8 activations reach: a scale for each stored tensor, symmetric about 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dermport.compression.quantisation.activation_statistics import BINS, channel_statistics, histograms
from dermport.compression.quantisation.equalise import MIDDLE
from dermport.compression.quantisation.graph import KerasGraph

if TYPE_CHECKING:
    import keras

Ranges = Literal["min-max", "percentile", "mse"]
LARGEST = 127
_PERCENTILE = 0.9999
_TRIED = np.linspace(0.3, 1.0, 71)  # shares of the largest value


def activation_scales(network: keras.Model, photos: NDArray[np.uint8], how: Ranges) -> dict[str, float]:
    """Return what a step of each stored tensor's codes is worth, by the layer that writes it.

    ``min-max`` reaches to the largest absolute value, ``percentile`` to the one that 99.99 % do not exceed, and ``mse``
    to where the mean squared error of rounding and clipping together is least (over a histogram of absolute values).

    Args:
        network: A folded network.
        photos: Calibration photos, uint8 [N, S, S, 3].
        how: The rule.
    """
    reach = {site: found.reach for site, found in channel_statistics(network, photos).items()}
    if how != "min-max":
        counts = histograms(network, photos, reach)
        share = _percentile if how == "percentile" else _least_error
        reach = {site: top * share(counts[site]) for site, top in reach.items()}
    scales = {site: max(top, 1e-6) / LARGEST for site, top in reach.items()}
    return {**scales, **_image_scales(network)}


def _image_scales(network: keras.Model) -> dict[str, float]:
    """Return the image's scale, which does not depend on the photos: levels of 0..255 are its codes where they fit."""
    found = {}
    for node in KerasGraph.of(network).nodes:
        if node.kind == "Rescaling":
            scale, offset = float(node.layer.scale), float(node.layer.offset)
            fits = round(offset / scale, 6) == MIDDLE
            found[node.name] = scale if fits else max(abs(offset), abs(255 * scale + offset)) / LARGEST
    return found


def _percentile(counts: NDArray[np.float64]) -> float:
    inside = np.cumsum(counts) / counts.sum()
    return float(np.searchsorted(inside, _PERCENTILE) + 1) / BINS


def _least_error(counts: NDArray[np.float64]) -> float:
    """Return the share of the largest value at which clipping and rounding cost least."""
    values = (np.arange(BINS) + 0.5) / BINS
    errors = []
    for share in _TRIED:
        step = share / LARGEST
        rounded = np.minimum(np.rint(values / step), LARGEST) * step
        errors.append(float(counts @ (values - rounded) ** 2))
    return float(_TRIED[int(np.argmin(errors))])
