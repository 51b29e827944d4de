"""One evaluation: a model's probabilities held against the truth, with intervals by lesion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.manifest import Decision, Metrics, Part, TaskSpec
from dermport.errors import DataError
from dermport.statistics.bootstrap import DEFAULT, Bootstrap, intervals
from dermport.statistics.estimates import Metric
from dermport.statistics.metrics import Predictions, confusion_matrix
from dermport.statistics.net_benefit import decision_curve
from dermport.statistics.reliability import decision_reliability, reliability
from dermport.statistics.subgroups import Group
from dermport.training.evaluation.bands import Curves, all_curves
from dermport.training.evaluation.calibration import at_temperature, log_probabilities
from dermport.training.evaluation.difference import Against
from dermport.training.evaluation.fairness import fairness
from dermport.training.evaluation.report import CalibrationReport, ClassReport, DecisionReport, EvaluationReport
from dermport.training.evaluation.threshold import Tuning, threshold_report


@dataclass(frozen=True)
class Scored:
    """Which photos were scored.

    Attributes:
        data: The data set's name.
        part: ``train``, ``validation`` or ``test`` by the bundle's split, or ``all``.
        photo_ids: [N].
        lesions: The lesion that each photo shows, [N].
        truth: int [N], label indices.
        external: Whether the data set is another than the one trained on.
        groups: Of people, whose photos are looked at apart (see :func:`dermport.statistics.subgroups.grouped`).
    """

    data: str
    part: str
    photo_ids: Sequence[str]
    lesions: Sequence[str]
    truth: NDArray[np.integer]
    external: bool = False
    groups: Sequence[Group] = ()


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

    photos: Scored
    predictions: Predictions
    uncalibrated: Predictions
    report: EvaluationReport
    curves: tuple[Curves | None, ...]
    decision_curves: Curves | None
    tuning: Tuning | None = None

    def compared(self, against: Against) -> Evaluation:
        """Return the evaluation with what sets it apart from another model."""
        return replace(self, report=self.report.model_copy(update={"against": against}))

    def metrics(self, part: Part) -> Metrics:
        """Return the head figures as ``bundle.json`` carries them."""
        report = self.report
        return Metrics(part=part, photos=report.photos, confidence=report.confidence, figures=report.figures)


def evaluate(
    probabilities: NDArray[np.floating],
    photos: Scored,
    task: TaskSpec,
    decision: Decision,
    *,
    temperature: float,
    tuning: Tuning | None = None,
    bootstrap: Bootstrap = DEFAULT,
) -> Evaluation:
    """Score a model.

    Args:
        probabilities: The saved model's, float [N, C], in the order of the task's labels; already calibrated.
        photos: What they are of.
        task: The labels.
        decision: The rule, with its threshold.
        temperature: What calibration divided the logits by; the probabilities before it follow from it.
        tuning: What the threshold was chosen on; None where it is not at hand.
        bootstrap: How intervals are drawn.

    Raises:
        DataError: Shapes do not fit, or a probability is not finite.
    """
    if probabilities.shape[1:] != (len(task.labels),) or len(photos.photo_ids) != len(probabilities):
        raise DataError(
            f"Probabilities {probabilities.shape} are not of {len(photos.photo_ids)} photos and "
            f"{len(task.labels)} labels."
        )
    predictions = Predictions(probabilities, photos.truth, task.positive_indices, decision.threshold)
    before = at_temperature(log_probabilities(probabilities), 1 / temperature)
    uncalibrated = Predictions(before, photos.truth, task.positive_indices, decision.threshold)
    found = intervals(predictions, photos.lesions, bootstrap)
    curves, of_decision = all_curves(predictions, photos.lesions, bootstrap)
    report = EvaluationReport(
        task=task.name,
        data=photos.data,
        part=photos.part,
        external=photos.external,
        photos=len(photos.truth),
        lesions=len(set(photos.lesions)),
        confidence=bootstrap.confidence,
        resamples=bootstrap.resamples,
        seed=bootstrap.seed,
        figures=found.overall,
        classes=_classes(task, photos, found.per_class, curves),
        confusion_matrix=tuple(map(tuple, confusion_matrix(predictions).tolist())),
        decision=_decision(predictions, task, decision, of_decision),
        calibration=_calibration(uncalibrated, predictions, temperature),
        threshold=threshold_report(tuning, predictions, photos.lesions, decision, bootstrap) if tuning else None,
        decision_curve=decision_curve(predictions, photos.lesions, bootstrap),
        fairness=fairness(predictions, photos.lesions, photos.groups, bootstrap),
    )
    return Evaluation(photos, predictions, uncalibrated, report, curves, of_decision, tuning)


def _classes(
    task: TaskSpec, photos: Scored, metrics: dict[str, tuple[Metric, ...]], curves: Sequence[Curves | None]
) -> tuple[ClassReport, ...]:
    lesions = np.asarray(photos.lesions, dtype=np.str_)
    return tuple(
        ClassReport(
            id=label.id,
            name=label.name,
            photos=int((photos.truth == index).sum()),
            lesions=len(np.unique(lesions[photos.truth == index])),
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
        decision_before=decision_reliability(before),
        decision_after=decision_reliability(after),
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
