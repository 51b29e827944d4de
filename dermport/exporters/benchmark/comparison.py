"""What comparing two benchmark results gives: lines with a verdict each."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from dermport.contract import Contract

Verdict = Literal["better", "worse", "no difference shown", "not comparable"]
Kind = Literal["size", "latency", "energy", "quality"]
VERDICTS: tuple[Verdict, ...] = ("worse", "better", "no difference shown", "not comparable")
HOW = (
    "Latency: 99 % bootstrap interval of the ratio of the medians, whole passes resampled and then their calls; a "
    "difference counts where the interval excludes 1 and the median moved by more than the noise, the larger spread "
    "of the passes' medians in the two results. Accuracy, sensitivity, specificity and dangerous flips: McNemar's "
    "exact test on the same photos at 1 %, each photo taken as independent, with the 99 % interval of Bonett and "
    "Price. Other figures of quality, and energy: the two intervals must not overlap. Size: more than 0.5 %."
)


class Line(Contract):
    """One figure of one export in both results.

    Attributes:
        export: ``<target>-<precision>``, behind the bundle's name.
        machine: Where it was measured, for people.
        kind: What sort of figure.
        name: The figure, with its unit.
        this: Its value in the result that is judged.
        other: Its value in the one it is held against.
        change: `this` by `other` for size, latency and energy; `this` − `other` for quality.
        low: Lower end of the change's interval.
        high: Upper end.
        p: Of the test, where there is one.
        noise: The relative difference that the machine showed without any cause.
        verdict: On `this`.
        reason: Why, where it does not speak for itself.
    """

    export: str
    machine: str
    kind: Kind
    name: str
    this: float | None
    other: float | None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    noise: float | None = None
    verdict: Verdict
    reason: str = ""


class BenchmarkComparison(Contract):
    """All lines, and what has no counterpart."""

    lines: tuple[Line, ...]
    only_this: tuple[str, ...]
    only_other: tuple[str, ...]
    remarks: tuple[str, ...]
    how: str = HOW

    @property
    def worse(self) -> tuple[Line, ...]:
        """The lines that got worse: a command that compares ends with 1 where there are any."""
        return tuple(line for line in self.lines if line.verdict == "worse")

    def counts(self) -> dict[Verdict, int]:
        """Return how many lines have each verdict, in the order of :data:`VERDICTS`."""
        found = Counter(line.verdict for line in self.lines)
        return {verdict: found[verdict] for verdict in VERDICTS}


def verdict_on(low: float, high: float, *, lower_is_better: bool) -> Verdict:
    """Return what an interval of a change says: nothing where it holds 0."""
    if low <= 0 <= high:
        return "no difference shown"
    return "better" if (high < 0) == lower_is_better else "worse"
