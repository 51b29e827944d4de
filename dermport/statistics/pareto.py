"""Pareto dominance: which of several things no other one beats in all that counts."""

from __future__ import annotations

from collections.abc import Sequence


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether `one` is nowhere worse than `other`, and somewhere better; less is better."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and any(a < b for a, b in zip(one, other, strict=True))


def on_front(values: Sequence[Sequence[float]]) -> list[bool]:
    """Return which of N rows of objectives no other one dominates, [N]; of equals all."""
    return [not any(dominates(other, own) for other in values) for own in values]
