"""DeLong's test: whether two scores of the same cases have the same area under the ROC curve.

DeLong, DeLong and Clarke-Pearson 1988, "Comparing the areas under two or more correlated receiver operating
characteristic curves: a nonparametric approach"; by mid-ranks as in Sun and Xu 2014, "Fast implementation of DeLong's
algorithm for comparing the areas under correlated receiver operating characteristic curves", in O(n log n).

The test takes cases as independent. Several photos of one lesion are not: its interval is then too narrow and its
p-value too small, and the bootstrap by lesion (:mod:`dermport.statistics.bootstrap`) is what counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AucDifference:
    """Two areas under the ROC curve of the same cases.

    Attributes:
        first: The first score's.
        second: The second score's.
        change: The first minus the second.
        low: Lower end of the change's interval.
        high: Upper end.
        p: Two-sided, that both are equal.
    """

    first: float
    second: float
    change: float
    low: float
    high: float
    p: float


def delong(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    positive: NDArray[np.bool_],
    confidence: float = 0.95,
) -> AucDifference | None:
    """Return how the areas under two scores' ROC curves differ; None with fewer than two positives or negatives.

    Args:
        first: float [N], higher for more likely positives.
        second: Of the same cases, float [N].
        positive: bool [N].
        confidence: The interval's level, between 0 and 1.
    """
    if min(positive.sum(), (~positive).sum()) < 2:
        return None
    pairs = [_placements(scores.astype(np.float64), positive) for scores in (first, second)]
    areas = [float(of_positives.mean()) for of_positives, _ in pairs]
    variance = sum(float(np.var(one - other, ddof=1)) / len(one) for one, other in zip(pairs[0], pairs[1], strict=True))
    change, error = areas[0] - areas[1], sqrt(variance)
    if error == 0:
        return AucDifference(areas[0], areas[1], change, change, change, 1.0 if change == 0 else 0.0)
    normal = NormalDist()
    half = normal.inv_cdf((1 + confidence) / 2) * error
    p = 2 * normal.cdf(-abs(change) / error)
    return AucDifference(areas[0], areas[1], change, change - half, change + half, p)


def _placements(scores: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the share of negatives below each positive, and of positives above each negative; ties count half."""
    found, others = scores[positive], scores[~positive]
    return _share_below(found, others), 1 - _share_below(others, found)


def _share_below(values: Floats, reference: Floats) -> Floats:
    ordered = np.sort(reference)
    places = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(places / (2 * len(ordered)))
