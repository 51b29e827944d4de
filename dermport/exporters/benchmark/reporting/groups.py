"""Groups of people and of lesions, before and after compression."""

from __future__ import annotations

from collections.abc import Iterator

from dermport.bundle.benchmark_record import SMALLEST_GROUP, Accuracy, Subgroup
from dermport.exporters.benchmark.reporting.subjects import Subject, Subjects
from dermport.exporters.benchmark.reporting.table import Kind, ReportSection, Row, Table, table
from dermport.exporters.benchmark.reporting.words import DASH, change, counted, share, shows_loss, with_change
from dermport.statistics.metrics import TITLES
from dermport.statistics.subgroups import KINDS, GroupKind
from dermport.statistics.text import interval

_FIGURES = ("balanced_accuracy", "decision_sensitivity", "decision_specificity")
_OPEN = 40
_NAMED = 5


def groups_section(subjects: Subjects) -> ReportSection:
    """Return a table for each kind of group: every export's figures, the reference's first."""
    answers = [each for each in subjects.answers if each[2].subgroups]
    if not answers:
        return ReportSection(
            "groups", "Groups of patients", ("The photos have neither labels nor data about patients.",)
        )
    losses = list(_losses(answers))
    words = (
        "Of each figure: the export's value and, in brackets, its change from the reference on the same photos, with "
        f"the paired 95 % interval. Groups of fewer than {SMALLEST_GROUP} photos have counts only. The skin tone is "
        "estimated from the photo's border (individual typology angle), which a dermoscope's light shifts: read it as "
        "a hint. Of many groups and exports, one interval in twenty shows a change that is chance.",
        _said(losses),
    )
    tables = (one for kind, title in KINDS.items() for one in _table(kind, title, answers))
    return ReportSection("groups", "Groups of patients, before and after compression", words, tuple(tables))


def _said(losses: list[tuple[float, str]]) -> str:
    if not losses:
        return "No interval shows a loss in a group."
    worst = "; ".join(words for _, words in sorted(losses)[:_NAMED])
    more = f", and {len(losses) - _NAMED} smaller ones (bold below)" if len(losses) > _NAMED else ""
    return f"Losses that their interval shows: {worst}{more}."


def _losses(answers: list[tuple[str, Subject, Accuracy]]) -> Iterator[tuple[float, str]]:
    for name, _, given in answers:
        for group in given.subgroups:
            for key in _FIGURES:
                figure = group.figures.get(key)
                if figure is not None and shows_loss(figure):
                    words = f"{name}, {group.kind} {group.group}: {TITLES[key].lower()} {change(figure)}"
                    yield figure.change or 0.0, words


def _table(kind: GroupKind, title: str, answers: list[tuple[str, Subject, Accuracy]]) -> tuple[Table, ...]:
    groups = {one.group: None for _, _, given in answers for one in given.subgroups if one.kind == kind}
    rows = [
        _row(name, one, subject.is_reference)
        for group in groups
        for name, subject, given in answers
        for one in given.subgroups
        if (one.kind, one.group) == (kind, group)
    ]
    head = ["group", "export", "photos", "cancer", "agreement"]
    head += [TITLES[key] for key in _FIGURES]
    return table(title, (*head, "dangerous flips"), rows, words=(1,), folded=len(rows) > _OPEN)


def _row(name: str, group: Subgroup, is_reference: bool) -> Row:
    cells = [group.group, name, str(group.photos), str(group.positive), share(group.agreement)]
    for key in _FIGURES:
        figure = group.figures.get(key)
        cells.append(interval(figure) if is_reference and figure else with_change(figure))
    lost = any(shows_loss(group.figures.get(key)) for key in _FIGURES)
    kind: Kind = "original" if is_reference else "worse" if lost else ""
    return Row((*cells, DASH if is_reference else counted(group.flips.dangerous)), kind)
