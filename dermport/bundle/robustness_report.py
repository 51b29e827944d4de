"""``robustness.json``: a model's answers to spoilt photos and to photos of something else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dermport.bundle.manifest import Abstention, ModelRef
from dermport.bundle.notice import NOTICE
from dermport.contract import Contract, Fraction
from dermport.statistics.estimates import Metric, Share


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
