"""How often two answer alike, and how far apart they are."""

from __future__ import annotations

from pydantic import Field

from dermport.bundle.model import Contract, Fraction
from dermport.bundle.wilson import wilson_interval


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
