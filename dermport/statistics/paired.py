"""Two answers to the same cases, or two series of measurements: how they differ, and whether chance alone would do it.

McNemar's test (McNemar 1947) in its exact form, which few cases do not spoil; the interval of Bonett and Price (2012,
"Adjusted Wald confidence interval for a difference of binomial proportions based on paired data"); a bootstrap of the
ratio of two medians. Where many lines are looked at, the level is 99 %, not 95 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt

import numpy as np
from numpy.typing import NDArray

from dermport.statistics.bootstrap import percentile_interval, resampled_blocks
from dermport.statistics.metrics import Floats

LEVEL = 0.99
Z99 = 2.5758293035489004
_RESAMPLES = 1000


@dataclass(frozen=True)
class RatioOfMedians:
    """The first series' median by the second's, with the ends of its 99 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedChange:
    """A share among the same photos, twice.

    Attributes:
        change: The first share minus the second.
        low: Lower end of its 99 % interval.
        high: Upper end.
        p: Of McNemar's exact test that both are equal.
    """

    change: float
    low: float
    high: float
    p: float


def mcnemar_exact(first_only: int, second_only: int) -> float:
    """Return the two-sided p-value that two are right equally often.

    Of the cases in which only one of them is right, each is by chance the first one's or the second one's: a binomial
    test with probability one half (sign test).

    Args:
        first_only: Cases in which only the first is right.
        second_only: Cases in which only the second is right.
    """
    trials = first_only + second_only
    tail = sum(comb(trials, k) for k in range(min(first_only, second_only) + 1))
    return min(1.0, float(2 * tail / 2**trials))


def paired_change(this: NDArray[np.bool_], other: NDArray[np.bool_]) -> PairedChange:
    """Return how the share of True differs between two answers to the same N >= 1 photos, bool [N] each."""
    photos = len(this)
    gained, lost = int((this & ~other).sum()), int((other & ~this).sum())
    more, fewer = (gained + 1) / (photos + 2), (lost + 1) / (photos + 2)
    half = Z99 * sqrt((more + fewer - (more - fewer) ** 2) / (photos + 2))
    centre = more - fewer
    return PairedChange(
        change=(gained - lost) / photos,
        low=max(-1.0, centre - half),
        high=min(1.0, centre + half),
        p=mcnemar_exact(gained, lost),
    )


def ratio_of_medians(this: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> RatioOfMedians:
    """Return how the medians of two series of passes compare; passes are cut to the shortest of their series.

    Whole passes are resampled and then the calls in them, since the calls of a pass share the machine's mood.
    """
    generator = np.random.default_rng(0)
    low, high = percentile_interval(_drawn_medians(this, generator) / _drawn_medians(other, generator), LEVEL)
    value = np.median(np.concatenate([*this])) / np.median(np.concatenate([*other]))
    return RatioOfMedians(float(value), float(low), float(high))


def _drawn_medians(passes: Sequence[Sequence[float]], generator: np.random.Generator) -> Floats:
    """Return the medians of the resamples, float64 [B]."""
    shortest = min(map(len, passes))
    drawn = resampled_blocks([one[:shortest] for one in passes], _RESAMPLES, generator)
    return np.asarray(np.median(drawn, axis=(1, 2)))
