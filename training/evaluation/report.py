"""``evaluation/metrics.json``: every figure of one evaluation, as frozen, validated data without NaN."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from bundle.errors import BundleError
from bundle.manifest import Metric
from bundle.metrics import CLASS_TITLES
from bundle.model import Contract, Fraction
from bundle.notice import NOTICE

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

    @property
    def metrics(self) -> dict[str, Metric]:
        """The figures by the keys of :data:`bundle.metrics.CLASS_TITLES`."""
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


class Bin(Contract):
    """One bar of the reliability diagram: photos by the probability of their top class, in (low, high]."""

    low: float
    high: float
    photos: int
    mean_confidence: float | None
    accuracy: float | None


class Reliability(Contract):
    """How far the probabilities can be taken at their word."""

    ece: float
    nll: float
    bins: tuple[Bin, ...]


class CalibrationReport(Contract):
    """The temperature, fitted on validation photos, and what it changed on these."""

    temperature: float
    before: Reliability
    after: Reliability


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
