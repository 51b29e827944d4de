"""How sure the decision's threshold is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.evaluation_report import OperatingPoint, ThresholdReport
from dermport.bundle.manifest import Decision, Part
from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.estimates import Metric
from dermport.statistics.metrics import Predictions, defined
from dermport.statistics.threshold import rates_at, resampled_thresholds


@dataclass(frozen=True)
class TuningSet:
    """The photos that the threshold was chosen on.

    Attributes:
        photo_ids: [N].
        lesions: The lesion that each photo shows, [N].
        scores: The saved model's, of the decision, float64 [N].
        positive: Whether the truth is a positive label, bool [N].
        part: Of the bundle's split.
    """

    photo_ids: Sequence[str]
    lesions: Sequence[str]
    scores: NDArray[np.float64]
    positive: NDArray[np.bool_]
    part: Part = "validation"


def threshold_report(
    tuning: TuningSet, predictions: Predictions, lesions: Sequence[str], decision: Decision, bootstrap: Bootstrap
) -> ThresholdReport:
    """Return how sure the decision's threshold is, and what follows for the scored photos.

    Args:
        tuning: What it was chosen on.
        predictions: Of the scored photos.
        lesions: The lesion that each of them shows.
        decision: With the threshold, and the sensitivity that it was chosen for.
        bootstrap: How both sets of photos are resampled.
    """
    drawn = resampled_thresholds(tuning.scores, tuning.positive, tuning.lesions, decision.target_sensitivity, bootstrap)
    low, high = bootstrap.bounds(drawn)
    found = rates_at(predictions, np.array([decision.threshold]), np.ones((len(predictions.truth), 1)))
    # Another seed: equal draws of both sets would tie them together where they have equally many lesions.
    weights = Bootstrap(bootstrap.resamples, bootstrap.confidence, bootstrap.seed + 1).weights(lesions)
    rates, start = [], 0
    for chunk in weights:
        rates.append(rates_at(predictions, drawn[start : start + chunk.shape[1]], chunk))
        start += chunk.shape[1]
    sensitivity, specificity = (
        bootstrap.metric(value[0], np.concatenate(values))
        for value, values in zip(found, zip(*rates, strict=True), strict=True)
    )
    return ThresholdReport(
        part=tuning.part,
        photos=len(tuning.scores),
        lesions=len(set(tuning.lesions)),
        positives=int(tuning.positive.sum()),
        threshold=Metric(value=decision.threshold, low=low, high=high),
        sensitivity=sensitivity,
        specificity=specificity,
        low=_point(predictions, decision.threshold if low is None else low),
        high=_point(predictions, decision.threshold if high is None else high),
    )


def _point(predictions: Predictions, threshold: float) -> OperatingPoint:
    sensitivity, specificity = rates_at(predictions, np.array([threshold]), np.ones((len(predictions.truth), 1)))
    return OperatingPoint(threshold=threshold, sensitivity=defined(sensitivity[0]), specificity=defined(specificity[0]))
