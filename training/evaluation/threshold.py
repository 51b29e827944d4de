"""The decision threshold, from a named sensitivity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bundle.errors import DataError, UsageError


def choose_threshold(scores: NDArray[np.floating], positive: NDArray[np.bool_], target_sensitivity: float) -> float:
    """Return a threshold at which at least the named share of the positives is found, with the fewest false alarms.

    The k-th highest positive must be found, k being the smallest number that reaches the share. Every threshold above
    the next lower score decides these photos alike; the middle is taken, because a threshold that is itself a photo's
    score turns that photo's decision round with the first rounding of a port. Choose it on validation photos, from the
    scores of the model as it will be saved.

    Args:
        scores: float [N], 0..1, the summed probability of the positive labels.
        positive: bool [N], whether the truth is one of them.
        target_sensitivity: Above 0, at most 1.

    Raises:
        UsageError: The sensitivity is out of range.
        DataError: No photo is positive.
    """
    if not 0 < target_sensitivity <= 1:
        raise UsageError(f"A sensitivity of {target_sensitivity} cannot be aimed at.", remedy="Name one in (0, 1].")
    scores = np.asarray(scores, dtype=np.float64)
    of_positives = np.sort(scores[positive])[::-1]
    count = len(of_positives)
    if not count:
        raise DataError(
            f"Not one of {len(scores):,} photos shows a positive label: no threshold can be chosen.",
            remedy="The validation part needs photos of the labels that the task calls positive.",
        )
    found = int(np.searchsorted(np.arange(1, count + 1) / count, target_sensitivity))
    last_found = of_positives[found]
    below = scores[scores < last_found]
    return float(np.clip((last_found + (below.max() if below.size else 0.0)) / 2, 0.0, 1.0))
