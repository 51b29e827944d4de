"""One evaluation: a model's probabilities held against the truth, with intervals by lesion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.bootstrap import DEFAULT, Bootstrap, intervals
from bundle.calibration import BINS, equal_width_bins
from bundle.errors import DataError
from bundle.manifest import Decision, Metric, Metrics, Part, TaskSpec
from bundle.metrics import Predictions, confusion_matrix, figures
from training.evaluation.calibration import at_temperature, log_probabilities
from training.evaluation.report import (
    Bin,
    CalibrationReport,
    ClassReport,
    DecisionReport,
    EvaluationReport,
    Reliability,
)


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
    """

    data: str
    part: str
    photo_ids: Sequence[str]
    lesions: Sequence[str]
    truth: NDArray[np.integer]
    external: bool = False


@dataclass(frozen=True)
class Evaluation:
    """What a model says of each photo, and every figure that follows.

    Attributes:
        photos: What was scored.
        predictions: The calibrated probabilities, with the truth and the decision rule.
        uncalibrated: The same before temperature scaling.
        report: The figures.
    """

    photos: Scored
    predictions: Predictions
    uncalibrated: Predictions
    report: EvaluationReport

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
    bootstrap: Bootstrap = DEFAULT,
) -> Evaluation:
    """Score a model.

    Args:
        probabilities: The saved model's, float [N, C], in the order of the task's labels; already calibrated.
        photos: What they are of.
        task: The labels.
        decision: The rule, with its threshold.
        temperature: What calibration divided the logits by; the probabilities before it follow from it.
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
        classes=_classes(task, photos, found.per_class),
        confusion_matrix=tuple(map(tuple, confusion_matrix(predictions).tolist())),
        decision=_decision(predictions, task, decision),
        calibration=CalibrationReport(
            temperature=temperature, before=reliability(uncalibrated), after=reliability(predictions)
        ),
    )
    return Evaluation(photos, predictions, uncalibrated, report)


def _classes(task: TaskSpec, photos: Scored, metrics: dict[str, tuple[Metric, ...]]) -> tuple[ClassReport, ...]:
    lesions = np.asarray(photos.lesions, dtype=np.str_)
    return tuple(
        ClassReport(
            id=label.id,
            name=label.name,
            photos=int((photos.truth == index).sum()),
            lesions=len(np.unique(lesions[photos.truth == index])),
            **{name: of_classes[index] for name, of_classes in metrics.items()},
        )
        for index, label in enumerate(task.labels)
    )


def _decision(predictions: Predictions, task: TaskSpec, decision: Decision) -> DecisionReport:
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
    )


def reliability(predictions: Predictions) -> Reliability:
    """Return calibration error, log-likelihood and the bars of the reliability diagram."""
    found = figures(predictions)
    confidence = predictions.probabilities.max(axis=1)
    correct = predictions.predicted == predictions.truth
    bin_of_photo = equal_width_bins(confidence)
    bins = []
    for number in range(BINS):
        inside = bin_of_photo == number
        some = bool(inside.any())
        bins.append(
            Bin(
                low=number / BINS,
                high=(number + 1) / BINS,
                photos=int(inside.sum()),
                mean_confidence=float(confidence[inside].mean()) if some else None,
                accuracy=float(correct[inside].mean()) if some else None,
            )
        )
    return Reliability(ece=found["ece"] or 0.0, nll=found["nll"] or 0.0, bins=tuple(bins))
