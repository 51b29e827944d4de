"""Two answers to the same cases, or two series of measurements: how they differ, and whether chance alone would do it.

McNemar's test (McNemar 1947) in its exact form, which few cases do not spoil; the interval of Bonett and Price (2012,
"Adjusted Wald confidence interval for a difference of binomial proportions based on paired data"); a bootstrap of the
ratio of two medians. Where many lines are looked at, the level is 99 %, not 95 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dermport.contract import Contract, Fraction
from dermport.statistics.bootstrap import (
    Bootstrap,
    changes,
    figures_of,
    percentile_interval,
    resampled,
    resampled_blocks,
    resampled_clusters,
)
from dermport.statistics.delong import delong
from dermport.statistics.metrics import Floats, Predictions

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


@dataclass(frozen=True)
class MeanDifference:
    """The mean of a paired difference, its 95 % bootstrap interval, and the share of photos where it is positive.

    One lesion alone has no interval: None.
    """

    mean: float
    low: float | None
    high: float | None
    positive: float


class Difference(Contract):
    """A figure of both models; the interval of the change is of paired bootstrap resamples, by lesion."""

    this: float | None
    other: float | None
    change: Annotated[float | None, Field(description="this less the other")]
    low: float | None
    high: float | None


class AucTest(Contract):
    """DeLong's test of the decision's ROC AUC, which takes photos as independent."""

    change: float
    low: float
    high: float
    p: Fraction


class RightnessTest(Contract):
    """McNemar's exact test of who is right more often, which takes photos as independent."""

    this_only: Annotated[int, Field(description="photos in which only this model is right")]
    other_only: int
    p: Fraction


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


def mean_difference(first: Floats, second: Floats, lesions: Sequence[str], *, resamples: int = 2000) -> MeanDifference:
    """Return `first` less `second`, [N] each, with an interval drawn by lesion, whose photos are one case."""
    differences = first - second
    _, groups = np.unique(np.asarray(lesions), return_inverse=True)
    sums, sizes = np.bincount(groups, differences), np.bincount(groups)
    mean, positive = float(differences.mean()), float((differences > 0).mean())
    if len(sums) == 1:
        return MeanDifference(mean, None, None, positive)
    drawn = resampled_clusters(len(sums), resamples)
    low, high = percentile_interval(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return MeanDifference(mean, float(low), float(high), positive)


def paired_differences(
    this: Predictions, other: Predictions, lesions: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Difference]:
    """Return how every figure of `this` differs from `other`'s, by the keys of :data:`.metrics.TITLES`.

    Args:
        this: N photos.
        other: Of the same photos, each with its own threshold.
        lesions: The lesion that each photo shows, [N].
        bootstrap: How to resample; both share the resamples.
    """
    first, second = resampled((other, this), lesions, bootstrap)
    before, after = figures_of(first, bootstrap).overall, figures_of(second, bootstrap).overall
    return {
        name: Difference(
            this=after[name].value, other=before[name].value, change=one.change, low=one.low, high=one.high
        )
        for name, one in changes(first, second, bootstrap).items()
    }


def auc_test(this: Predictions, other: Predictions, confidence: float) -> AucTest | None:
    """Return DeLong's test of the decision's ROC AUC; None with fewer than two positives or negatives."""
    found = delong(this.scores, other.scores, this.is_positive, confidence)
    return None if found is None else AucTest(change=found.change, low=found.low, high=found.high, p=found.p)


def rightness_test(this: NDArray[np.bool_], other: NDArray[np.bool_]) -> RightnessTest:
    """Return McNemar's test of which of two is right more often, bool [N] each."""
    gained, lost = int((this & ~other).sum()), int((other & ~this).sum())
    return RightnessTest(this_only=gained, other_only=lost, p=mcnemar_exact(gained, lost))
