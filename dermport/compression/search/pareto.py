"""Which candidates no other one beats: Pareto dominance over quality, latency and size."""

from __future__ import annotations

from collections.abc import Sequence

from dermport.compression.search.record import Measured

NOISE = 0.03
"""Latencies closer than this share are not told apart when the front is held against single recipes."""


def objectives(one: Measured) -> tuple[float, float, float]:
    """Return what is to be small: minus balanced accuracy, latency in milliseconds by the parent's, bytes."""
    return -one.balanced_accuracy, one.latency.ratio, float(one.artifact_bytes)


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether `one` is nowhere worse than `other`, and somewhere better; less is better."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and any(a < b for a, b in zip(one, other, strict=True))


def front(measured: Sequence[Measured]) -> tuple[Measured, ...]:
    """Return those that no other one dominates, the best first; of equals all."""
    values = [objectives(one) for one in measured]
    kept = [
        one for one, own in zip(measured, values, strict=True) if not any(dominates(value, own) for value in values)
    ]
    return tuple(sorted(kept, key=objectives))


def beats(one: Measured, other: Measured) -> bool:
    """Return whether `one` dominates `other`, latencies within the noise of each other taken as equal."""
    (quality, time, size), (its_quality, its_time, its_size) = objectives(one), objectives(other)
    clearly = time < its_time * (1 - NOISE)
    no_slower = time <= its_time * (1 + NOISE)
    no_worse = quality <= its_quality and size <= its_size and no_slower
    return no_worse and (quality < its_quality or size < its_size or clearly)
