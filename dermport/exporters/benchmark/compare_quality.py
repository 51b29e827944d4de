"""The lines of a comparison that tell whether the answers got better or worse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.benchmark_record import Accuracy, ExportResult, Figure, Session
from dermport.exporters.benchmark.comparison import Verdict, verdict_on
from dermport.statistics.metrics import LOWER_IS_BETTER, TITLES
from dermport.statistics.paired import paired_change

_ALPHA = 0.01
_UNPAIRED = ("balanced_accuracy", "macro_roc_auc", "decision_roc_auc", "ece")

Flags = NDArray[np.bool_]


def flags(bits: str) -> Flags:
    """Return a record's string of 0 and 1 as bool [N]."""
    return np.asarray(np.frombuffer(bits.encode(), np.uint8) == ord("1"))


@dataclass(frozen=True)
class QualityLine:
    """A line of a comparison, without its export; see :class:`dermport.exporters.benchmark.comparison.Line`."""

    name: str
    this: float | None
    other: float | None
    verdict: Verdict
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class SessionAnswers:
    """What an export answered in a session, and the photos that it was asked."""

    session: Session
    accuracy: Accuracy

    @property
    def positive(self) -> Flags | None:
        """Whether the photos truly show a positive label, bool [N]; None without labels."""
        bits = self.session.photos.positive
        return None if bits is None else flags(bits)

    @property
    def decided(self) -> Flags:
        """Whether the decision was yes, bool [N]."""
        return flags(self.accuracy.decided)

    @property
    def missed(self) -> Flags | None:
        """Whether the flip was dangerous, bool [N]; None without labels or without the reference's decisions."""
        reference, positive = self.reference_decided, self.positive
        if reference is None or positive is None:
            return None
        return positive & reference & ~self.decided

    @property
    def reference_decided(self) -> Flags | None:
        """The reference's decisions, bool [N]; None where it was not run."""
        named = self.session.reference
        found = self.session.export(named.bundle, named.export) if named else None
        return flags(found.accuracy.decided) if found and found.accuracy else None


def answers_of(session: Session, export: ExportResult) -> SessionAnswers | None:
    """Return an export's answers, or None where it was not asked."""
    return SessionAnswers(session, export.accuracy) if export.accuracy else None


def quality_lines(this: SessionAnswers, other: SessionAnswers) -> Iterator[QualityLine]:
    """Yield the lines; one that says why there are none where the photos differ or have no labels."""
    if obstacle := _obstacle(this, other):
        here, there = (one.accuracy.agreement.value for one in (this, other))
        yield QualityLine("agreement with the reference", here, there, "not comparable", reason=obstacle)
        return
    yield from _paired_lines(this, other)
    for name in _UNPAIRED:
        first, second = (one.accuracy.figures.get(name) for one in (this, other))
        if first is not None and second is not None:
            yield _unpaired(name, first, second)


def _obstacle(this: SessionAnswers, other: SessionAnswers) -> str:
    photos, others = this.session.photos, other.session.photos
    if photos.sha256 != others.sha256:
        return f"other photos: {photos.name} ({photos.photos}) / {others.name} ({others.photos})"
    if photos.positive is None or this.accuracy.correct is None or other.accuracy.correct is None:
        return "photos without labels"
    return ""


def _paired_lines(this: SessionAnswers, other: SessionAnswers) -> Iterator[QualityLine]:
    positive = this.positive
    assert positive is not None, "asked only where there are labels"
    here, there = (flags(one.accuracy.correct or "") for one in (this, other))
    yield _paired(TITLES["accuracy"], here, there)
    if positive.any():
        yield _paired(TITLES["decision_sensitivity"], this.decided[positive], other.decided[positive])
    if not positive.all():
        yield _paired(TITLES["decision_specificity"], ~this.decided[~positive], ~other.decided[~positive])
    yield from _danger_line(this, other)


def _paired(title: str, this: Flags, other: Flags) -> QualityLine:
    change = paired_change(this, other)
    verdict: Verdict = "no difference shown"
    if change.p < _ALPHA and change.change:
        verdict = "better" if change.change > 0 else "worse"
    return QualityLine(
        name=title,
        this=float(this.mean()),
        other=float(other.mean()),
        verdict=verdict,
        change=change.change,
        low=change.low,
        high=change.high,
        p=change.p,
    )


def _danger_line(this: SessionAnswers, other: SessionAnswers) -> Iterator[QualityLine]:
    """Yield the counts of dangerous flips, tested where both are held against the same decisions."""
    here, there = this.missed, other.missed
    if here is None or there is None:
        return
    missed, missed_there = float(here.sum()), float(there.sum())
    first, second = this.reference_decided, other.reference_decided
    if first is None or second is None or (first != second).any():
        reason = "the references decide differently"
        yield QualityLine("dangerous flips", missed, missed_there, "not comparable", reason=reason)
        return
    change = paired_change(here, there)
    verdict: Verdict = "no difference shown"
    if change.p < _ALPHA and change.change:
        verdict = "better" if change.change < 0 else "worse"
    yield QualityLine("dangerous flips", missed, missed_there, verdict, change=missed - missed_there, p=change.p)


def _unpaired(name: str, this: Figure, other: Figure) -> QualityLine:
    """Return the line of a figure that the file holds no photo's part of: only intervals that are apart tell."""
    change = None if this.value is None or other.value is None else this.value - other.value
    ends = (this.low, this.high, other.low, other.high)
    verdict: Verdict = "no difference shown"
    if None not in ends:
        low, high, other_low, other_high = (end or 0.0 for end in ends)
        verdict = verdict_on(low - other_high, high - other_low, lower_is_better=name in LOWER_IS_BETTER)
    return QualityLine(TITLES[name], this.value, other.value, verdict, change=change)
