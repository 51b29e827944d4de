"""``evaluation/metrics.json``: every figure of one evaluation, as frozen, validated data without NaN.

What later versions added is optional, so that the files of earlier ones still read; None there means "not evaluated".
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from dermport.bundle.manifest import ModelRef, Part
from dermport.bundle.notice import NOTICE
from dermport.contract import Contract, Fraction
from dermport.errors import BundleError
from dermport.statistics.estimates import Metric
from dermport.statistics.fairness import Fairness
from dermport.statistics.metrics import CLASS_TITLES, shown_classes
from dermport.statistics.net_benefit import DecisionCurve
from dermport.statistics.paired import AucTest, Difference, RightnessTest
from dermport.statistics.reliability import DecisionReliability, Reliability
from dermport.statistics.text import interval

SCHEMA: Literal["dermport-evaluation/1"] = "dermport-evaluation/1"


class OperatingPoint(Contract):
    """What a threshold makes of the scored photos."""

    threshold: Fraction
    sensitivity: float | None
    specificity: float | None


class ThresholdReport(Contract):
    """How sure the threshold is: chosen anew in every bootstrap resample, by lesion, of the photos it was chosen on.

    The intervals of sensitivity and specificity on the scored photos hold both chances, of those photos and of these;
    those among the report's figures take the threshold as given.
    """

    part: Part
    photos: int
    lesions: int
    positives: Annotated[int, Field(description="photos of a positive label, that the threshold rests on")]
    threshold: Metric
    sensitivity: Metric
    specificity: Metric
    low: Annotated[OperatingPoint, Field(description="had the threshold been the lower end of its interval")]
    high: Annotated[OperatingPoint, Field(description="had it been the upper end")]


class TrainingOverlap(Contract):
    """How many of the scored photos the other model was made with, by its own split."""

    train: Annotated[int, Field(description="photos that it, or of whose lesions it, was trained on")]
    validation: Annotated[int, Field(description="likewise: chosen epochs, temperature or threshold by")]


class ModelComparison(Contract):
    """Another model, asked the same photos."""

    model: ModelRef
    seen: TrainingOverlap
    photos: int
    lesions: int
    figures: Annotated[dict[str, Difference], Field(description="keys as in bundle.metrics.TITLES")]
    auc: Annotated[AucTest | None, Field(description="none with fewer than two positives or negatives")]
    top_class: RightnessTest
    decision: Annotated[
        RightnessTest | None, Field(description="each by its own threshold; absent: there is no decision")
    ]

    @property
    def overlaps(self) -> bool:
        """Whether the other model was made with some of the photos that it is scored on."""
        return bool(self.seen.train or self.seen.validation)


_TWO = 2
FEW_LESIONS = 10
"""With as many, 95 % of a share are known to a quarter at best (Wilson's interval of 5 of 10: 24 to 76 %)."""


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
    decision: Annotated[DecisionReport | None, Field(description="absent: the model knows labels alone")] = None
    calibration: CalibrationReport
    threshold: Annotated[
        ThresholdReport | None, Field(description="absent where the photos that chose the threshold are not at hand")
    ] = None
    decision_curve: DecisionCurve | None = None
    fairness: Annotated[Fairness | None, Field(description="absent where nothing is known of the photos' people")] = (
        None
    )
    against: Annotated[ModelComparison | None, Field(description="another model, asked the same photos")] = None

    @property
    def scored(self) -> str:
        """What was scored, for a chart's title."""
        part = "" if self.part == "all" else f", {self.part} part"
        return f"{self.data}{part}: {self.photos:,} photos of {self.lesions:,} lesions"

    @property
    def shown(self) -> tuple[ClassReport, ...]:
        """The classes that charts and tables for people show; all of them, or those with the most photos."""
        return tuple(self.classes[index] for index in shown_classes([one.photos for one in self.classes]))

    @property
    def abridged(self) -> str:
        """Which classes are shown, in words; empty where all are."""
        count = len(self.shown)
        return (
            "" if count == len(self.classes) else f"the {count} of {len(self.classes):,} classes with the most photos"
        )

    @property
    def absent(self) -> tuple[str, ...]:
        """The ids of the classes that no photo shows; macro figures are means over the others."""
        return tuple(one.id for one in self.classes if not one.photos)

    @property
    def too_few(self) -> dict[str, int]:
        """The lesions of classes that have some, but fewer than carry a figure, by their ids."""
        return {one.id: one.lesions for one in self.classes if 0 < one.lesions < FEW_LESIONS}

    @property
    def doubt(self) -> str:
        """Why the model cannot be told from one that answers by chance; empty where it can.

        Whoever gives all photos one label, or draws it, has a balanced accuracy of one by the number of classes.
        """
        found = self.figures.get("balanced_accuracy")
        shown = len(self.classes) - len(self.absent)
        if found is None or found.low is None or shown < _TWO or found.low > 1 / shown:
            return ""
        return (
            f"Not told from chance: balanced accuracy is {interval(found)}, and giving all photos one label, or any, "
            f"has {1 / shown:.3f} with {shown} classes. Train longer, on more photos, or look at the labels."
        )


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
