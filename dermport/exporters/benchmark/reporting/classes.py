"""Each class against the rest, before and after compression."""

from __future__ import annotations

from dermport.bundle.benchmark_record import Accuracy, ClassFigures
from dermport.exporters.benchmark.reporting.subjects import Subject, Subjects
from dermport.exporters.benchmark.reporting.table import Kind, ReportSection, Row, table
from dermport.exporters.benchmark.reporting.words import DASH, shows_loss, with_change
from dermport.statistics.metrics import CLASS_TITLES
from dermport.statistics.text import interval

_OPEN = 60


def classes_section(subjects: Subjects) -> ReportSection:
    """Return a table of every class, the reference's figures first, then those of every export."""
    answers = [each for each in subjects.answers if each[2].classes]
    title = "Classes, before and after compression"
    if not answers:
        return ReportSection("classes", title, ("The figures of each class need photos with labels.",))
    rows = [_row(label, name, subject, one) for label in _labels(answers) for name, subject, one in _of(label, answers)]
    words = (
        "One label against the rest. Of each figure: the export's value and, in brackets, its change from the "
        "reference on the same photos, with the paired 95 % interval; the reference's own interval in its row.",
    )
    head = ("class", "export", "photos", *CLASS_TITLES.values())
    return ReportSection("classes", title, words, table("Classes", head, rows, words=(1,), folded=len(rows) > _OPEN))


def _labels(answers: list[tuple[str, Subject, Accuracy]]) -> list[str]:
    return list(dict.fromkeys(one.label for _, _, given in answers for one in given.classes))


def _of(label: str, answers: list[tuple[str, Subject, Accuracy]]) -> list[tuple[str, Subject, ClassFigures]]:
    return [(name, subject, one) for name, subject, given in answers for one in given.classes if one.label == label]


def _row(label: str, name: str, subject: Subject, one: ClassFigures) -> Row:
    figures = [one.figures.get(key) for key in CLASS_TITLES]
    if subject.is_reference:
        return Row((label, name, str(one.photos), *(interval(each) if each else DASH for each in figures)), "original")
    kind: Kind = "worse" if any(map(shows_loss, figures)) else ""
    return Row((label, name, str(one.photos), *map(with_change, figures)), kind)
