"""``robustness.json`` as Markdown."""

from __future__ import annotations

from dermport.bundle.robustness_report import RobustnessReport
from dermport.statistics.estimates import Share
from dermport.statistics.text import in_words, share_text

COLUMNS = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "macro_roc_auc": "Macro ROC AUC"}


def to_markdown(report: RobustnessReport) -> str:
    """Return the report as Markdown."""
    return (
        "\n".join([*_head(report), *_conditions(report), *_groups(report), *_others(report), *_coverage(report)]) + "\n"
    )


def _head(report: RobustnessReport) -> list[str]:
    rule = report.rule
    words = (
        f"Cannot tell beyond a distance of {rule.threshold:.3g}; asked to answer {rule.answer_rate:.0%} of {rule.part}."
        if rule
        else "The bundle has no rule for when it cannot tell: it answers every photo."
    )
    return [
        f"# Robustness: {report.model.name} {report.model.version}",
        "",
        f"> **{report.notice}**",
        "",
        f"{report.data}, {report.part}: {report.photos:,} photos of {report.lesions:,} lesions, seed {report.seed}. "
        f"{words} Intervals: {report.confidence:.0%}, by lesion; of shares, Wilson's.",
        "",
    ]


def _conditions(report: RobustnessReport) -> list[str]:
    heads = ["Photos", "Severity", *COLUMNS.values(), "Answered", "Accuracy of the answered"]
    rows = [
        [
            one.corruption,
            str(one.severity or "–"),
            *(in_words(one.figures[name]) for name in COLUMNS),
            _share(one.answered),
            in_words(one.accuracy_answered) if one.accuracy_answered else "–",
        ]
        for one in report.conditions
    ]
    return ["## Spoilt photos", "", *_table(heads, rows), ""]


def _groups(report: RobustnessReport) -> list[str]:
    if not report.groups:
        return []
    rows = [[f"{one.kind}: {one.group}", share_text(one.answered)] for one in report.groups]
    return ["## Whose photos are answered", "", *_table(["Group", "Answered, as they are"], rows), ""]


def _others(report: RobustnessReport) -> list[str]:
    heads = ["Photos without a lesion", "Cannot tell", "Decision alone: yes", "AUC of distance", "AUC of probability"]
    rows = [
        [
            one.group,
            _share(one.refused),
            _share(one.suspicious),
            "–" if one.auc_distance is None else f"{one.auc_distance:.3f}",
            f"{one.auc_probability:.3f}",
        ]
        for one in report.others
    ]
    return ["## Photos of something else", "", *_table(heads, rows), ""]


def _coverage(report: RobustnessReport) -> list[str]:
    rows = [[f"{one.coverage:.0%}", f"{one.risk:.3f}"] for one in report.coverage]
    words = f"Area under the curve (AURC): {in_words(report.aurc)}. The surest by their highest probability."
    return ["## Risk and coverage", "", words, "", *_table(["Answered", "Error rate"], rows)]


def _share(share: Share | None) -> str:
    return "–" if share is None else share_text(share)


def _table(heads: list[str], rows: list[list[str]]) -> list[str]:
    return [_row(heads), _row(["---"] * len(heads)), *map(_row, rows)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
