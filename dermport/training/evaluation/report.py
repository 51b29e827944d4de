"""``evaluation/metrics.json``: every figure of one evaluation, as frozen, validated data without NaN.

What later versions added is optional, so that the files of earlier ones still read; None there means "not evaluated".
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from dermport.bundle.notice import NOTICE
from dermport.contract import Contract, Fraction
from dermport.errors import BundleError
from dermport.statistics.estimates import Metric
from dermport.statistics.metrics import CLASS_TITLES
from dermport.statistics.net_benefit import DecisionCurve
from dermport.statistics.reliability import DecisionReliability, Reliability
from dermport.training.evaluation.difference import Against
from dermport.training.evaluation.fairness import Fairness
from dermport.training.evaluation.threshold import ThresholdReport

SCHEMA: Literal["dermport-evaluation/1"] = "dermport-evaluation/1"


class ClassReport(Contract):
    """One class against the rest."""

    id: str
    name: str
    photos: Annotated[int, Field(ge=0, description="photos whose truth is this class")]
    lesions: Annotated[int, Field(ge=0)]
    precision: Metric
    recall: Metric
    f1: Metric
    specificity: Metric
    roc_auc: Metric
    average_precision: Metric | None = None

    @property
    def metrics(self) -> dict[str, Metric]:
        """The figures by the keys of :data:`dermport.statistics.metrics.CLASS_TITLES`."""
        return {name: getattr(self, name) for name in CLASS_TITLES}


class DecisionReport(Contract):
    """Yes or no at the threshold, counted in photos."""

    name: str
    threshold: Fraction
    target_sensitivity: Annotated[Fraction, Field(description="what the threshold was chosen for, on validation")]
    positive: tuple[str, ...]
    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int
    average_precision: Metric | None = None


class CalibrationReport(Contract):
    """The temperature, fitted on validation photos, and what it changed on these."""

    temperature: float
    before: Reliability
    after: Reliability
    decision_before: Annotated[DecisionReliability | None, Field(description="of the summed positive probability")] = (
        None
    )
    decision_after: DecisionReliability | None = None


class EvaluationReport(Contract):
    """The whole of ``metrics.json``."""

    schema_version: Annotated[Literal["dermport-evaluation/1"], Field(alias="schema")] = SCHEMA
    notice: str = NOTICE
    task: str
    data: Annotated[str, Field(description="name of the data set")]
    part: Annotated[str, Field(description="train, validation or test by the bundle's split; all: every photo")]
    external: Annotated[bool, Field(description="whether the data set is another than the one trained on")]
    photos: Annotated[int, Field(gt=0)]
    lesions: Annotated[int, Field(gt=0)]
    confidence: Fraction
    resamples: int
    seed: int
    figures: Annotated[dict[str, Metric], Field(description="keys as in bundle.metrics.TITLES")]
    classes: tuple[ClassReport, ...]
    confusion_matrix: Annotated[tuple[tuple[int, ...], ...], Field(description="rows: truth; columns: predicted")]
    decision: DecisionReport
    calibration: CalibrationReport
    threshold: Annotated[
        ThresholdReport | None, Field(description="absent where the photos that chose the threshold are not at hand")
    ] = None
    decision_curve: DecisionCurve | None = None
    fairness: Annotated[Fairness | None, Field(description="absent where nothing is known of the photos' people")] = (
        None
    )
    against: Annotated[Against | None, Field(description="another model, asked the same photos")] = None

    @property
    def scored(self) -> str:
        """What was scored, for a chart's title."""
        part = "" if self.part == "all" else f", {self.part} part"
        return f"{self.data}{part}: {self.photos:,} photos of {self.lesions:,} lesions"

    @property
    def absent(self) -> tuple[str, ...]:
        """The ids of the classes that no photo shows; macro figures are means over the others."""
        return tuple(one.id for one in self.classes if not one.photos)


def read_report(path: Path) -> EvaluationReport:
    """Read a ``metrics.json``.

    Raises:
        BundleError: It is not one of this schema version.
    """
    try:
        return EvaluationReport.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BundleError(
            f"{path} is not an evaluation as this version of dermport writes it: {error.errors()[0]['msg']}.",
            remedy="Score the model again: `dermport evaluate BUNDLE --data DIR --out FOLDER`.",
        ) from error


def in_words(metric: Metric) -> str:
    """Return e.g. ``0.821 (0.801-0.839)`` with an en dash; ``undefined`` where there is no value."""
    if metric.value is None:
        return "undefined"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} ({metric.low:.3f}–{metric.high:.3f})"
