"""Whether two series of figures differ: the tests behind the verdicts of :mod:`dermport.exporters.benchmark.compare`.

Times: a bootstrap of the ratio of the medians, in which whole passes are resampled and then the calls in them, since
the calls of a pass share the machine's mood (Davison and Hinkley 1997, section 3.8). Answers to the same photos:
McNemar's exact test, with the interval of Bonett and Price (2012, "Adjusted Wald confidence interval for a difference
of binomial proportions based on paired data"). Many lines are looked at, so the level is 99 %, not 95 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from dermport.statistics.mcnemar import mcnemar_exact

LEVEL = 0.99
Z99 = 2.5758293035489004
_RESAMPLES = 1000

Passes = Sequence[Sequence[float]]
Flags = NDArray[np.bool_]


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


def ratio_of_medians(this: Passes, other: Passes, seed: int = 0) -> RatioOfMedians:
    """Return how the medians of two series of passes compare; passes are cut to the shortest of their series."""
    generator = np.random.default_rng(seed)
    drawn = _drawn_medians(this, generator) / _drawn_medians(other, generator)
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    value = np.median(np.concatenate([*this])) / np.median(np.concatenate([*other]))
    return RatioOfMedians(float(value), float(low), float(high))


def _drawn_medians(passes: Passes, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return the medians of the resamples, float64 [B]."""
    shortest = min(map(len, passes))
    times = np.asarray([one[:shortest] for one in passes], dtype=np.float64)
    which = generator.integers(len(times), size=(_RESAMPLES, len(times), 1))
    calls = generator.integers(shortest, size=(_RESAMPLES, len(times), shortest))
    return np.asarray(np.median(times[which, calls], axis=(1, 2)))


def flags(bits: str) -> Flags:
    """Return a record's string of 0 and 1 as bool [N]."""
    return np.asarray(np.frombuffer(bits.encode(), np.uint8) == ord("1"))


def paired_change(this: Flags, other: Flags) -> PairedChange:
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
