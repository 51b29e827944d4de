"""One evaluation: a model's probabilities held against the truth, with intervals by lesion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.evaluation_report import (
    CalibrationReport,
    ClassReport,
    DecisionReport,
    EvaluationReport,
    ModelComparison,
)
from dermport.bundle.manifest import Decision, Metrics, Part, TaskSpec, threshold_of
from dermport.bundle.photo_set import PhotoSet
from dermport.errors import DataError
from dermport.statistics.bootstrap import DEFAULT, Bootstrap, intervals
from dermport.statistics.curves import Curves, all_curves
from dermport.statistics.estimates import Metric
from dermport.statistics.fairness import fairness
from dermport.statistics.metrics import Predictions, confusion_matrix
from dermport.statistics.net_benefit import decision_curve
from dermport.statistics.reliability import decision_reliability, reliability
from dermport.statistics.subgroups import Group
from dermport.statistics.temperature import at_temperature, log_probabilities
from dermport.training.evaluation.threshold import TuningSet, threshold_report


@dataclass(frozen=True)
class Evaluation:
    """What a model says of each photo, and every figure that follows.

    Attributes:
        photos: What was scored.
        predictions: The calibrated probabilities, with the truth and the decision rule.
        uncalibrated: The same before temperature scaling.
        report: The figures.
        curves: Of each class against the rest, with bands; None without positives or negatives.
        decision_curves: Of the decision's score, likewise.
        tuning: What the threshold was chosen on, where it is at hand.
    """

    photos: PhotoSet
    predictions: Predictions
    uncalibrated: Predictions
    report: EvaluationReport
    curves: tuple[Curves | None, ...]
    decision_curves: Curves | None
    tuning: TuningSet | None = None

    def compared(self, against: ModelComparison) -> Evaluation:
        """Return the evaluation with what sets it apart from another model."""
        return replace(self, report=self.report.model_copy(update={"against": against}))

    def metrics(self, part: Part) -> Metrics:
        """Return the head figures as ``bundle.json`` carries them."""
        report = self.report
        return Metrics(part=part, photos=report.photos, confidence=report.confidence, figures=report.figures)


def evaluate(
    probabilities: NDArray[np.floating],
    photos: PhotoSet,
    task: TaskSpec,
    decision: Decision | None,
    *,
    temperature: float,
    subgroups: Sequence[Group] = (),
    tuning: TuningSet | None = None,
    bootstrap: Bootstrap = DEFAULT,
) -> Evaluation:
    """Score a model.

    Args:
        probabilities: The saved model's, float [N, C], in the order of the task's labels; already calibrated.
        photos: What they are of.
        task: The labels.
        decision: The rule, with its threshold; None where the model knows none.
        temperature: What calibration divided the logits by; the probabilities before it follow from it.
        subgroups: Of people, whose photos are looked at apart (see :func:`dermport.statistics.subgroups.grouped`).
        tuning: What the threshold was chosen on; None where it is not at hand.
        bootstrap: How intervals are drawn.

    Raises:
        DataError: Shapes do not fit, or a probability is not finite.
    """
    if probabilities.shape[1:] != (len(task.labels),) or len(photos) != len(probabilities):
        raise DataError(
            f"Probabilities {probabilities.shape} are not of {len(photos)} photos and {len(task.labels)} labels."
        )
    rule = (task.positive_indices, threshold_of(decision))
    predictions = Predictions(probabilities, photos.targets, *rule)
    before = at_temperature(log_probabilities(probabilities), 1 / temperature)
    uncalibrated = Predictions(before, photos.targets, *rule)
    found = intervals(predictions, photos.groups, bootstrap)
    curves, of_decision = all_curves(predictions, photos.groups, bootstrap)
    report = EvaluationReport(
        task=task.name,
        data=photos.name,
        part=photos.part or "all",
        external=photos.external,
        photos=len(photos),
        lesions=len(set(photos.groups)),
        confidence=bootstrap.confidence,
        resamples=bootstrap.resamples,
        seed=bootstrap.seed,
        figures=found.overall,
        classes=_classes(task, photos, found.per_class, curves),
        confusion_matrix=tuple(map(tuple, confusion_matrix(predictions).tolist())),
        decision=_decision(predictions, task, decision, of_decision) if decision else None,
        calibration=_calibration(uncalibrated, predictions, temperature),
        threshold=threshold_report(tuning, predictions, photos.groups, decision, bootstrap)
        if tuning and decision
        else None,
        decision_curve=decision_curve(predictions, photos.groups, bootstrap) if decision else None,
        fairness=fairness(predictions, photos.groups, subgroups, bootstrap),
    )
    return Evaluation(photos, predictions, uncalibrated, report, curves, of_decision, tuning)


def _classes(
    task: TaskSpec, photos: PhotoSet, metrics: dict[str, tuple[Metric, ...]], curves: Sequence[Curves | None]
) -> tuple[ClassReport, ...]:
    lesions = np.asarray(photos.groups, dtype=np.str_)
    return tuple(
        ClassReport(
            id=label.id,
            name=label.name,
            photos=int((photos.targets == index).sum()),
            lesions=len(np.unique(lesions[photos.targets == index])),
            **{name: of_classes[index] for name, of_classes in metrics.items()},
            average_precision=_average_precision(curves[index]),
        )
        for index, label in enumerate(task.labels)
    )


def _calibration(before: Predictions, after: Predictions, temperature: float) -> CalibrationReport:
    return CalibrationReport(
        temperature=temperature,
        before=reliability(before),
        after=reliability(after),
        decision_before=decision_reliability(before) if before.positive else None,
        decision_after=decision_reliability(after) if after.positive else None,
    )


def _average_precision(curves: Curves | None) -> Metric | None:
    return curves.average_precision if curves else None


def _decision(predictions: Predictions, task: TaskSpec, decision: Decision, curves: Curves | None) -> DecisionReport:
    yes, positive = predictions.decided, predictions.is_positive
    return DecisionReport(
        name=decision.name,
        threshold=decision.threshold,
        target_sensitivity=decision.target_sensitivity,
        positive=task.positive,
        true_positives=int((yes & positive).sum()),
        false_negatives=int((~yes & positive).sum()),
        false_positives=int((yes & ~positive).sum()),
        true_negatives=int((~yes & ~positive).sum()),
        average_precision=_average_precision(curves),
    )
