"""Photos on which an export decides otherwise than the reference, the dangerous ones first."""

from __future__ import annotations

from dermport.bundle.benchmark_record import Accuracy
from dermport.exporters.benchmark.reporting.subjects import Subject, Subjects
from dermport.exporters.benchmark.reporting.table import ReportSection, Row, table
from dermport.exporters.benchmark.reporting.words import counted

_HEAD = (
    "",
    "dangerous",
    "of the cancers that the reference finds",
    "rescued",
    "cancer named other",
    "yes → no",
    "no → yes",
    "another label",
)


def flips_section(subjects: Subjects) -> ReportSection:
    """Return the counts of every export that is not the reference, the most dangerous first."""
    answers = [each for each in subjects.answers if not each[1].is_reference]
    answers.sort(key=lambda each: -(each[2].flips.dangerous or 0))
    rows = [_row(name, subject, given) for name, subject, given in answers]
    words = (
        "Dangerous: the photo shows cancer, the reference calls it suspicious, and this export does not. Rescued: the "
        "other way about. Cancer named other: the reference's most probable label is a cancer, this export's is not. "
        "Yes → no and no → yes count the decision on all photos, whatever they show.",
    )
    return ReportSection(
        id="flips",
        title="Decision flips, the dangerous ones first",
        words=words,
        tables=table("Flips against the reference", _HEAD, rows),
    )


def _row(name: str, subject: Subject, given: Accuracy) -> Row:
    flips = given.flips
    cells = (
        counted(flips.dangerous),
        _of_found(subject, flips.dangerous),
        counted(flips.rescued),
        counted(flips.cancer_to_other),
        str(flips.to_negative),
        str(flips.to_positive),
        str(flips.label_changes),
    )
    return Row((name, *cells), "danger" if flips.dangerous else "")


def _of_found(subject: Subject, dangerous: int | None) -> str:
    """Return the dangerous flips among the cancers that the reference calls suspicious."""
    named, bits = subject.session.reference, subject.session.photos.positive
    found = subject.session.export(named.bundle, named.export) if named else None
    if dangerous is None or bits is None or found is None or found.accuracy is None:
        return counted(None)
    decided = zip(bits, found.accuracy.decided, strict=True)
    caught = sum(truth == yes == "1" for truth, yes in decided)
    return f"{100 * dangerous / caught:.1f} % of {caught}" if caught else "0 of 0"
