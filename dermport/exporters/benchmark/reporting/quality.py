"""How good the answers are, beside the published ones, and what compression changed."""

from __future__ import annotations

import numpy as np

from dermport.bundle.benchmark_record import Accuracy
from dermport.exporters.benchmark.compare_quality import flags
from dermport.exporters.benchmark.published import COMPRESSION, NOT_FOUND, Paper, papers
from dermport.exporters.benchmark.reporting.subjects import Subject, Subjects
from dermport.exporters.benchmark.reporting.table import Kind, ReportSection, Row, Table, table
from dermport.exporters.benchmark.reporting.words import DASH, change, reasons
from dermport.statistics.metrics import TITLES
from dermport.statistics.table_arithmetic import always_yes_f1, implied_prevalence
from dermport.statistics.text import interval

SHOWN = (
    "accuracy",
    "balanced_accuracy",
    "macro_roc_auc",
    "decision_sensitivity",
    "decision_specificity",
    "decision_roc_auc",
    "ece",
)
_UNLABELLED = "The photos have no labels, so there is agreement alone; the command's --data names photos that have."
_DECISION = ("accuracy", "precision", "recall", "f1", "roc_auc")


def quality_section(subjects: Subjects) -> ReportSection:
    """Return the decision's figures of every export, all classes' figures, and their changes."""
    answers = subjects.answers
    unasked = reasons((one.name, one.export.accuracy_not_measured_because) for one in subjects.all)
    words = () if subjects.labelled else (_UNLABELLED,)
    return ReportSection(
        id="quality",
        title="Quality: before and after compression",
        words=words,
        tables=(*_of_decision(answers, unasked), *_values(answers), *_changes(answers)),
    )


def _of_decision(answers: tuple[tuple[str, Subject, Accuracy], ...], unasked: tuple[str, ...]) -> tuple[Table, ...]:
    rows = [
        Row((name, *_decision_figures(subject, given)), "original" if subject.is_reference else "")
        for name, subject, given in answers
        if subject.session.photos.positive
    ]
    return table(
        "Table 1. The decision between cancer and other, beside the published one",
        ("", "accuracy", "precision", "recall", "F1", "ROC AUC"),
        [*rows, *_published()],
        (*unasked, *_published_notes()),
    )


def _decision_figures(subject: Subject, given: Accuracy) -> tuple[str, ...]:
    """Return the five figures of the yes-or-no decision, from its bits."""
    positive, decided = flags(subject.session.photos.positive or ""), flags(given.decided)
    hits = int((positive & decided).sum())
    auc = subject.figure("decision_roc_auc")
    return (
        f"{np.mean(positive == decided):.3f}",
        f"{hits / decided.sum():.3f}" if decided.any() else DASH,
        f"{hits / positive.sum():.3f}" if positive.any() else DASH,
        f"{2 * hits / (decided.sum() + positive.sum()):.3f}" if (decided | positive).any() else DASH,
        DASH if auc is None else f"{auc:.3f}",
    )


def _published() -> list[Row]:
    return [
        Row((f"published: {paper.model}", *(paper.says("quality", metric) for metric in _DECISION)), "published")
        for paper in papers().values()
    ]


def _published_notes() -> tuple[str, ...]:
    """Return where the published figures come from, and what they imply together."""
    sources = [
        f"Published, {paper.model}: {paper.title}{f' ({paper.address})' if paper.address else ''}; {paper.data}. "
        f"Read in {_sources(paper)}. {paper.limits}"
        for paper in papers().values()
    ]
    known = {one.metric: one.value or 0.0 for one in papers()[COMPRESSION].of("quality")}
    prevalence = implied_prevalence(known["precision"], known["recall"], known["accuracy"])
    sources.append(
        f"If the compression paper's precision, recall and accuracy are of one test set, {100 * prevalence:.0f} % of "
        f"its photos show cancer, and the answer “cancer” to every photo has an F1 of {always_yes_f1(prevalence):.3f} "
        f"there (published: {known['f1']:.3f}): an F1 on photos of which fewer show cancer does not compare with it. "
        "The other papers' accuracy is over their own classes, not over this decision."
    )
    return (f"“{NOT_FOUND}” means just that; no published figure here is a guess.", *sources)


def _sources(paper: Paper) -> str:
    said = [source.strip() for one in paper.of("quality") for source in one.source.split(";")]
    return ", ".join(dict.fromkeys(said))


def _values(answers: tuple[tuple[str, Subject, Accuracy], ...]) -> tuple[Table, ...]:
    rows = [
        Row(
            (name, *(interval(given.figures[key]) if key in given.figures else DASH for key in SHOWN)),
            "original" if subject.is_reference else "",
        )
        for name, subject, given in answers
        if given.figures
    ]
    return table(
        "Table 1a. All classes, with 95 % intervals by lesion",
        ("", *(TITLES[key] for key in SHOWN)),
        rows,
        ("Calibration error: less is better; of all others, more.",),
    )


def _changes(answers: tuple[tuple[str, Subject, Accuracy], ...]) -> tuple[Table, ...]:
    shown = [key for key in SHOWN if any(key in given.figures for _, _, given in answers)]
    rows = [
        Row((name, interval(given.agreement), f"{given.max_change:.2g}", *_changed(given, shown)), _kind(given))
        for name, subject, given in answers
        if not subject.is_reference
    ]
    return table(
        "Table 1b. Change from the reference on the same photos, with paired 95 % intervals",
        ("", "top-1 agreement", "largest |Δp|", *(TITLES[key] for key in shown)),
        rows,
        ("Bold: the interval of an accuracy, a sensitivity or an area shows a loss.",) if shown else (),
    )


def _changed(given: Accuracy, shown: list[str]) -> tuple[str, ...]:
    return tuple(change(given.figures.get(key)) for key in shown)


def _kind(given: Accuracy) -> Kind:
    """Return "worse" where an interval shows a loss of anything but calibration."""
    ends = [given.figures[key].change_high for key in SHOWN if key != "ece" and key in given.figures]
    return "worse" if any(end is not None and end < 0 for end in ends) else ""
