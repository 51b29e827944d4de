"""Figures as people read them."""

from __future__ import annotations

from typing import Protocol

from dermport.statistics.estimates import Share


class WithInterval(Protocol):
    """A figure with the ends of its interval; all None where it is undefined."""

    @property
    def value(self) -> float | None: ...  # noqa: D102

    @property
    def low(self) -> float | None: ...  # noqa: D102

    @property
    def high(self) -> float | None: ...  # noqa: D102


def small(change: float) -> str:
    """Return a change of a probability with two digits, e.g. ``0.14``, ``3.1e-05``, ``0``."""
    return f"{change:.2g}"


def share_text(share: Share) -> str:
    """Return a share with its interval, e.g. ``21 of 21 (95 % interval 84.5 to 100.0 %)``."""
    return f"{share.count} of {share.of} (95 % interval {100 * share.low:.1f} to {100 * share.high:.1f} %)"


def interval(metric: WithInterval | None, digits: int = 3, *, undefined: str = "–", to: str = " to ") -> str:
    """Return a figure with its interval, e.g. ``0.805 (0.785 to 0.824)``; a dash where it is undefined.

    Where no interval was measured, a dash stands for it: without one, the figure would look exact.
    """
    if metric is None or metric.value is None:
        return undefined
    if metric.low is None or metric.high is None:
        return f"{_fixed(metric.value, digits)} (–)"
    return f"{_fixed(metric.value, digits)} ({_fixed(metric.low, digits)}{to}{_fixed(metric.high, digits)})"


def _fixed(value: float, digits: int) -> str:
    """Return a number with so many digits; what rounds to nothing has no sign."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def in_words(metric: WithInterval) -> str:
    """Return e.g. ``0.821 (0.801-0.839)`` with an en dash; ``undefined`` where there is no value."""
    return interval(metric, undefined="undefined", to="–")
