"""``--budget "≤1 MB, ≤2 points"``: limits that a person sets, and the candidate that they pick."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from dermport.compression.search.candidate import MeasuredCandidate
from dermport.errors import UsageError

Kind = Literal["quality", "latency", "size"]

_NUMBER = r"(?P<number>\d+(?:[.,]\d+)?|[.]\d+)"
_LIMIT = re.compile(rf"\s*(?P<sign>≤|<=|≥|>=)\s*{_NUMBER}\s*(?P<unit>[A-Za-z ]*?)\s*")
_BYTES = {"b": 1, "bytes": 1, "kb": 1e3, "kib": 1024, "mb": 1e6, "mib": 1024**2}
_REMEDY = (
    "Limits are separated by commas: '≤1 MB' (also KB, KiB, MiB), '≤0.2 size' and '≤0.4 latency' (shares of the "
    "parent's float32), '≤5 ms', '≤2 points' (of balanced accuracy lost), '≥0.97 agreement', '≥0.7 balanced accuracy'. "
    "<= and >= do as well."
)


@dataclass(frozen=True)
class Limit:
    """One limit.

    Attributes:
        text: As the person wrote it.
        kind: What it limits.
        value: Reads what is limited from a candidate, in the limit's unit.
        bound: The limit.
        upper: Whether it is the largest value allowed, and not the smallest.
    """

    text: str
    kind: Kind
    value: Callable[[MeasuredCandidate], float]
    bound: float
    upper: bool

    def holds(self, one: MeasuredCandidate) -> bool:
        """Return whether a candidate is within the limit."""
        value = self.value(one)
        return value <= self.bound if self.upper else value >= self.bound

    def excess(self, one: MeasuredCandidate) -> float:
        """Return by which share of the limit a candidate is beyond it; 0 within."""
        beyond = self.value(one) - self.bound if self.upper else self.bound - self.value(one)
        return max(0.0, beyond) / max(abs(self.bound), 1e-9)


@dataclass(frozen=True)
class Budget:
    """All limits of a budget; none for no budget."""

    limits: tuple[Limit, ...] = ()

    def holds(self, one: MeasuredCandidate) -> bool:
        """Return whether a candidate is within all limits."""
        return all(limit.holds(one) for limit in self.limits)

    def order(self, measured: Sequence[MeasuredCandidate]) -> list[MeasuredCandidate]:
        """Return the candidates within all limits, the one that fits best first.

        It is the best in what is not limited: the most accurate; where accuracy is limited the fastest; where latency
        is limited, too, the smallest; where all are limited again the most accurate.
        """
        limited = {limit.kind for limit in self.limits}
        kinds: tuple[Kind, ...] = ("quality", "latency", "size")
        order = sorted(kinds, key=lambda kind: kind in limited)
        fitting = [one for one in measured if self.holds(one)]
        return sorted(fitting, key=lambda one: tuple(_COST[kind](one) for kind in order))

    def pick(self, measured: Sequence[MeasuredCandidate]) -> MeasuredCandidate | None:
        """Return the first in that order, or None where none is within the limits."""
        return next(iter(self.order(measured)), None)

    def nearest(self, measured: Sequence[MeasuredCandidate]) -> MeasuredCandidate:
        """Return the candidate that exceeds the limits least, by the worst of its excesses."""
        return min(measured, key=lambda one: max(limit.excess(one) for limit in self.limits))


def _in_units(scale: float) -> Callable[[MeasuredCandidate], float]:
    return lambda one: one.artifact_bytes / scale


_COST: dict[Kind, Callable[[MeasuredCandidate], float]] = {
    "quality": lambda one: -one.balanced_accuracy,
    "latency": lambda one: one.latency.ratio,
    "size": lambda one: one.artifact_bytes,
}
_UPPER: dict[str, tuple[Kind, Callable[[MeasuredCandidate], float]]] = {
    **{unit: ("size", _in_units(scale)) for unit, scale in _BYTES.items()},
    "size": ("size", lambda one: one.size_ratio),
    "latency": ("latency", lambda one: one.latency.ratio),
    "ms": ("latency", lambda one: one.latency.ms),
    **dict.fromkeys(("point", "points"), ("quality", lambda one: one.points_lost)),
}
_LOWER: dict[str, tuple[Kind, Callable[[MeasuredCandidate], float]]] = {
    "agreement": ("quality", lambda one: one.agreement),
    "balanced accuracy": ("quality", lambda one: one.balanced_accuracy),
    "accuracy": ("quality", lambda one: one.accuracy),
}


def parse_budget(text: str) -> Budget:
    """Return the budget that a text like ``≤1 MB, ≤2 points`` sets.

    Raises:
        UsageError: A part of it is no limit; the message shows the form.
    """
    parts = [part.strip() for part in re.split(r",(?!\d)", text)]
    if not any(parts):
        raise UsageError("The budget sets no limit.", remedy=_REMEDY)
    return Budget(tuple(_limit(part) for part in parts))


def _limit(text: str) -> Limit:
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} in the budget is no limit.", remedy=_REMEDY)
    upper = found["sign"] in {"≤", "<="}
    units, unit = (_UPPER if upper else _LOWER), " ".join(found["unit"].lower().split())
    if unit not in units:
        wrong_way = unit in (_LOWER if upper else _UPPER)
        why = f"{unit} is limited the other way" if wrong_way else f"{unit or 'nothing'!r} is no unit of a budget"
        raise UsageError(f"{text!r} in the budget is no limit: {why}.", remedy=_REMEDY)
    kind, value = units[unit]
    return Limit(text, kind, value, float(found["number"].replace(",", ".")), upper)
