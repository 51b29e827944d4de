"""``robustness.json``, and the same as Markdown."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dermport.bundle.manifest import Abstention, ModelRef
from dermport.bundle.notice import NOTICE
from dermport.contract import Contract, Fraction
from dermport.statistics.estimates import Metric, Share
from dermport.statistics.text import in_words, share_text


class Condition(Contract):
    """How the model does on the photos of a part, spoilt in one way; severity 0: as they are."""

    corruption: str
    severity: Annotated[int, Field(ge=0, le=5)]
    figures: Annotated[dict[str, Metric], Field(description="over all photos: keys of bundle.metrics.TITLES")]
    answered: Annotated[Share | None, Field(description="photos that are answered; null: the bundle has no rule")]
    accuracy_answered: Annotated[Metric | None, Field(description="accuracy of these; null: there are none")]


class GroupAnswered(Contract):
    """How many of a group's photos are answered, as they are: whom a rule leaves without an answer."""

    kind: Annotated[str, Field(description="label, age, sex, site or skin tone (estimated)")]
    group: str
    answered: Share


class OtherPhotos(Contract):
    """How many photos that show no lesion are told to be so."""

    group: str
    refused: Annotated[Share | None, Field(description="photos of which the model cannot tell; null: no rule")]
    suspicious: Annotated[Share, Field(description="photos that the decision alone would call positive")]
    auc_distance: Annotated[float | None, Field(description="ROC AUC of the rule's distance against the clean photos")]
    auc_probability: Annotated[float, Field(description="the same of the highest probability, which is the baseline")]


class CoveragePoint(Contract):
    """The error rate among the surest photos."""

    coverage: Fraction
    risk: Fraction


class RobustnessReport(Contract):
    """What ``dermport robustness`` writes."""

    schema_version: Annotated[Literal["dermport-robustness/1"], Field(alias="schema")] = "dermport-robustness/1"
    model: ModelRef
    data: str
    part: str
    photos: int
    lesions: int
    seed: int
    confidence: Fraction
    rule: Annotated[Abstention | None, Field(description="when the model cannot tell; null: it answers every photo")]
    conditions: tuple[Condition, ...]
    groups: tuple[GroupAnswered, ...] = ()
    others: tuple[OtherPhotos, ...]
    aurc: Annotated[Metric, Field(description="area under risk and coverage, by the highest probability")]
    coverage: tuple[CoveragePoint, ...]
    notice: str = NOTICE


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
