"""Figures with their uncertainty, as documents carry them: a metric, a change of it, a share, quantiles."""

from __future__ import annotations

from pydantic import Field

from dermport.contract import Contract, Fraction
from dermport.statistics.wilson import wilson_interval


class Metric(Contract):
    """One figure with its bootstrap interval (resampled by lesion), both absent where it is undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Delta(Contract):
    """A metric of the artifact minus that of the original, with a paired bootstrap interval by lesion."""

    original: float | None
    artifact: float | None
    change: float | None
    low: float | None = None
    high: float | None = None


class Share(Contract):
    """How many of how many, with Wilson's 95 % interval."""

    count: int = Field(ge=0)
    of: int = Field(ge=0)
    low: Fraction
    high: Fraction


class Quantiles(Contract):
    """Of |Δp| over the photos that both sides predicted."""

    mean: float
    median: float
    p95: float
    max: float


def share_of(count: int, of: int) -> Share:
    """Return `count` of `of` with its interval; (0, 1) where there is nothing to count."""
    low, high = wilson_interval(count, of)
    return Share(count=count, of=of, low=low, high=high)
