"""The decision threshold, from a named sensitivity, and what resampling makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dermport.errors import DataError, UsageError
from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.metrics import Floats, Predictions


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


def resampled_thresholds(
    scores: NDArray[np.floating],
    positive: NDArray[np.bool_],
    lesions: Sequence[str],
    target_sensitivity: float,
    bootstrap: Bootstrap,
) -> Floats:
    """Return the threshold chosen in each resample by lesion, float64 [B]; NaN where no positive was drawn.

    Args:
        scores: float [N]; see :func:`choose_threshold`.
        positive: bool [N].
        lesions: The lesion that each photo shows, [N].
        target_sensitivity: Above 0, at most 1.
        bootstrap: How to resample.
    """
    draws = (draw for chunk in bootstrap.weights(lesions) for draw in chunk.T.astype(np.intp))
    return np.array(
        [
            choose_threshold(np.repeat(scores, draw), np.repeat(positive, draw), target_sensitivity)
            if draw[positive].any()
            else float("nan")
            for draw in draws
        ]
    )


def rates_at(predictions: Predictions, thresholds: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return sensitivity and specificity, float64 [B], of thresholds [B] and weights [N, B]; NaN where undefined."""
    yes = predictions.scores[:, None] >= thresholds
    positive = predictions.is_positive
    rates = []
    for right, of in ((yes, positive), (~yes, ~positive)):
        cases = weights[of].sum(axis=0)
        undefined = np.full(cases.shape, np.nan)
        share = np.divide((weights[of] * right[of]).sum(axis=0), cases, out=undefined, where=cases > 0)
        rates.append(np.where(np.isnan(thresholds), np.nan, share))
    return rates[0], rates[1]
