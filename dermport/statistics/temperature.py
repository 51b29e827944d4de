"""Temperature scaling (Guo et al. 2017, "On calibration of modern neural networks"): one divisor for all logits."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dermport.errors import DataError

COLDEST, HOTTEST = 0.1, 10.0
_HALVINGS = 60  # of the interval of log T: down to float64's resolution
_FLAT = 1e-12  # of the largest logit: a slope that is rounding alone


def log_probabilities(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return logits that give these probabilities, float64 of the same shape; 0 is taken as float32's smallest."""
    return np.asarray(np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny)))


def at_temperature(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Return softmax(logits / temperature), float64 [N, C], of logits or log-probabilities [N, C]."""
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def fit_temperature(logits: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """Return the temperature T that minimises the negative log-likelihood of softmax(logits / T).

    The loss is convex in 1 / T, so its slope has one root, found by bisection between 0.1 and 10. Where the slope
    vanishes on a whole range (a model that tells nothing apart, or nothing wrong with huge logits), the first T tried
    there is taken, beginning with 1; on photos told apart without an error the loss would fall for ever as T goes to 0.

    Args:
        logits: float [N, C]; log-probabilities do as well, since softmax ignores a constant per photo.
        truth: int [N], the index of the true class.

    Raises:
        DataError: There is no photo, or a logit is not finite.
    """
    if not len(logits) or not np.isfinite(logits).all():
        raise DataError(
            f"A temperature cannot be fitted to {len(logits)} photos with these logits.",
            remedy="The validation part needs at least one photo, and the model finite outputs.",
        )
    low, high = math.log(COLDEST), math.log(HOTTEST)
    negligible = _FLAT * np.abs(logits).max()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        slope = _slope(logits, truth, math.exp(middle))
        if abs(slope) <= negligible:
            return math.exp(middle)
        low, high = (low, middle) if slope < 0 else (middle, high)
    return math.exp((low + high) / 2)


def _slope(logits: NDArray[np.floating], truth: NDArray[np.integer], temperature: float) -> float:
    """Return d NLL / d(1/T): the mean of the expected logit less the truth's; below 0 the optimum is colder."""
    expected = (at_temperature(logits, temperature) * logits).sum(axis=1)
    return float(np.mean(expected - logits[np.arange(len(truth)), truth]))
