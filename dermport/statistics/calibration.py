"""Bins of probabilities, and the calibration error that they give (Guo et al. 2017, eq. 3).

Bins of equal *width* are what most papers report. The scores of a rare positive are nearly all close to 0: one such bin
then holds most of the photos, in which errors of both signs cancel, and the bins around the threshold hold a few photos
each, whose scatter counts as error. Bins of equal *mass* hold equally many photos, and are the less biased estimate
(Nixon et al. 2019, "Measuring calibration in deep learning"; Roelofs et al. 2022, "Mitigating bias in calibration error
estimation"). Both are given; where they differ, believe the second. Both are above 0 for a perfect model of few photos.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 15


def equal_width_bins(values: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the bin of each probability [N], int [N], 0..14: 15 bins of equal width, closed above."""
    return np.asarray(np.clip(np.ceil(values * BINS).astype(np.intp) - 1, 0, BINS - 1))


def equal_mass_bins(values: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the bin of each probability [N], int [N], 0..14: 15 bins of equally many photos, equal values together."""
    below = np.searchsorted(np.sort(values), values, "left")
    return np.asarray(below * BINS // max(1, len(values)))


def calibration_error(
    bins: NDArray[np.intp], gap: NDArray[np.floating], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the expected calibration error of B resamples, float64 [B], NaN for an empty one.

    The bins are those of the photos as they are, in every resample.

    Args:
        bins: The bin of each photo, int [N], 0..14.
        gap: Probability minus what came true (0 or 1), float [N].
        weights: How often each photo occurs in each resample, float64 [N, B].
    """
    by_bin = np.eye(BINS)[bins] * gap[:, None]  # a bin's share cancels the divisor of its mean
    photos = weights.sum(axis=0)
    undefined = np.full(photos.shape, np.nan)
    return np.asarray(np.divide(np.abs(by_bin.T @ weights).sum(axis=0), photos, out=undefined, where=photos > 0))
