"""The decision threshold, from a named sensitivity, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dermport.bundle.manifest import Decision, Part
from dermport.contract import Contract, Fraction
from dermport.errors import DataError, UsageError
from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.estimates import Metric
from dermport.statistics.metrics import Predictions, defined


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


@dataclass(frozen=True)
class Tuning:
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

    def thresholds(self, target_sensitivity: float, bootstrap: Bootstrap) -> NDArray[np.float64]:
        """Return the threshold of each resample by lesion, float64 [B]; NaN where no positive was drawn."""
        draws = (draw for chunk in bootstrap.weights(self.lesions) for draw in chunk.T.astype(np.intp))
        return np.array([self._redrawn(draw, target_sensitivity) for draw in draws])

    def _redrawn(self, draw: NDArray[np.intp], target_sensitivity: float) -> float:
        if not draw[self.positive].any():
            return float("nan")
        return choose_threshold(np.repeat(self.scores, draw), np.repeat(self.positive, draw), target_sensitivity)


def threshold_report(
    tuning: Tuning, predictions: Predictions, lesions: Sequence[str], decision: Decision, bootstrap: Bootstrap
) -> ThresholdReport:
    """Return how sure the decision's threshold is, and what follows for the scored photos.

    Args:
        tuning: What it was chosen on.
        predictions: Of the scored photos.
        lesions: The lesion that each of them shows.
        decision: With the threshold, and the sensitivity that it was chosen for.
        bootstrap: How both sets of photos are resampled.
    """
    drawn = tuning.thresholds(decision.target_sensitivity, bootstrap)
    low, high = bootstrap.bounds(drawn)
    found = _rates_at(predictions, np.array([decision.threshold]), np.ones((len(predictions.truth), 1)))
    # Another seed: equal draws of both sets would tie them together where they have equally many lesions.
    weights = Bootstrap(bootstrap.resamples, bootstrap.confidence, bootstrap.seed + 1).weights(lesions)
    rates, start = [], 0
    for chunk in weights:
        rates.append(_rates_at(predictions, drawn[start : start + chunk.shape[1]], chunk))
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


def _rates_at(
    predictions: Predictions, thresholds: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sensitivity and specificity, float64 [B], of thresholds [B] and weights [N, B]; NaN where undefined."""
    yes = predictions.scores[:, None] >= thresholds
    positive = predictions.is_positive
    rates = []
    for right, of in ((yes, positive), (~yes, ~positive)):
        cases = weights[of].sum(axis=0)
        undefined = np.full(cases.shape, np.nan)
        share = np.divide((weights[of] * right[of]).sum(axis=0), cases, out=undefined, where=cases > 0)
        rates.append(np.where(np.isnan(thresholds), np.nan, share))
    return rates[0], rates[1]


def _point(predictions: Predictions, threshold: float) -> OperatingPoint:
    sensitivity, specificity = _rates_at(predictions, np.array([threshold]), np.ones((len(predictions.truth), 1)))
    return OperatingPoint(threshold=threshold, sensitivity=defined(sensitivity[0]), specificity=defined(specificity[0]))


def choose_threshold(scores: NDArray[np.floating], positive: NDArray[np.bool_], target_sensitivity: float) -> float:
    """Return a threshold at which at least the named share of the positives is found, with the fewest false alarms.

    The k-th highest positive must be found, k being the smallest number that reaches the share. Every threshold above
    the next lower score decides these photos alike; the middle is taken, because a threshold that is itself a photo's
    score turns that photo's decision round with the first rounding of a port. Choose it on validation photos, from the
    scores of the model as it will be saved.

    Args:
        scores: float [N], 0..1, the summed probability of the positive labels.
        positive: bool [N], whether the truth is one of them.
        target_sensitivity: Above 0, at most 1.

    Raises:
        UsageError: The sensitivity is out of range.
        DataError: No photo is positive.
    """
    if not 0 < target_sensitivity <= 1:
        raise UsageError(f"A sensitivity of {target_sensitivity} cannot be aimed at.", remedy="Name one in (0, 1].")
    scores = np.asarray(scores, dtype=np.float64)
    of_positives = np.sort(scores[positive])[::-1]
    count = len(of_positives)
    if not count:
        raise DataError(
            f"Not one of {len(scores):,} photos shows a positive label: no threshold can be chosen.",
            remedy="The validation part needs photos of the labels that the task calls positive.",
        )
    found = int(np.searchsorted(np.arange(1, count + 1) / count, target_sensitivity))
    last_found = of_positives[found]
    below = scores[scores < last_found]
    return float(np.clip((last_found + (below.max() if below.size else 0.0)) / 2, 0.0, 1.0))
