"""Curves over all thresholds, ROC and precision-recall, with bootstrap bands by lesion.

A band is pointwise: at each x, the interval of y over the resamples (vertical averaging, Fawcett 2006, "An introduction
to ROC analysis"); a whole curve leaves its band more often than a point does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.statistics.bootstrap import Bootstrap, are_carried, percentile_interval
from dermport.statistics.estimates import Metric
from dermport.statistics.metrics import Floats, Predictions, shown_classes

GRID = np.linspace(0, 1, 101)
_Counts = tuple[Floats, Floats]


@dataclass(frozen=True)
class Band:
    """A curve with its pointwise interval.

    Attributes:
        x: Of the curve, float64 [K].
        y: Of the curve, float64 [K].
        low: Lower end of the interval at each x of :data:`GRID`, float64 [101].
        high: Upper end.
    """

    x: Floats
    y: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Curves:
    """How one score parts positives from negatives.

    Attributes:
        roc: Sensitivity over 1 − specificity.
        precision: Precision over recall, a step: the precision of the first threshold that reaches the recall, since
            between two thresholds it is no straight line (Davis and Goadrich 2006).
        average_precision: The area under that step.
        prevalence: The share of positives: the precision of a score that knows nothing.
    """

    roc: Band
    precision: Band
    average_precision: Metric
    prevalence: float


def all_curves(
    predictions: Predictions, lesions: Sequence[str], bootstrap: Bootstrap
) -> tuple[tuple[Curves | None, ...], Curves | None]:
    """Return the curves of each class against the rest and of the decision; None without positives or negatives.

    Of very many classes, only those that are shown (:func:`dermport.statistics.metrics.shown_classes`) have curves.
    """
    shown = shown_classes(np.bincount(predictions.truth, minlength=predictions.classes).tolist())
    per_class = tuple(
        curves_of(column, predictions.truth == index, lesions, bootstrap) if index in shown else None
        for index, column in enumerate(predictions.probabilities.T)
    )
    return per_class, curves_of(predictions.scores, predictions.is_positive, lesions, bootstrap)


def curves_of(
    scores: NDArray[np.floating], positive: NDArray[np.bool_], lesions: Sequence[str], bootstrap: Bootstrap
) -> Curves | None:
    """Return a score's curves with their bands; None without positives or negatives.

    Args:
        scores: float [N], higher for more likely positives.
        positive: bool [N].
        lesions: The lesion that each photo shows, [N].
        bootstrap: How to resample.
    """
    if positive.all() or not positive.any():
        return None
    found, alarms = next(_counts(scores, positive, np.ones((len(scores), 1))))
    carried = are_carried(positive, lesions) and are_carried(~positive, lesions)
    roc, steps, areas = [], [], []
    for weights in bootstrap.weights(lesions):
        for hits, misses in _counts(scores, positive, weights):
            if hits[-1] and misses[-1]:
                roc.append(np.interp(GRID, misses / misses[-1], hits / hits[-1]))
                steps.append(_precision_at(GRID, hits, misses))
                areas.append(_average_precision(hits, misses))
    return Curves(
        roc=Band(alarms / alarms[-1], found / found[-1], *_interval(roc, bootstrap)),
        precision=Band(GRID, _precision_at(GRID, found, alarms), *_interval(steps, bootstrap)),
        average_precision=bootstrap.metric(_average_precision(found, alarms), np.array(areas if carried else ())),
        prevalence=float(positive.mean()),
    )


def _counts(scores: NDArray[np.floating], positive: NDArray[np.bool_], weights: Floats) -> Iterator[_Counts]:
    """Yield how many positives and negatives score at least each distinct score, from (0, 0), for each resample."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    drawn = weights[order]
    hits, misses = (np.cumsum(drawn * of[order, None], axis=0)[ends] for of in (positive, ~positive))
    for found, alarms in zip(hits.T, misses.T, strict=True):
        yield np.append(0, found), np.append(0, alarms)


def _precision_at(recall: Floats, hits: Floats, misses: Floats) -> Floats:
    """Return the precision of the highest threshold that reaches each recall and finds something, float64 [K]."""
    least = np.maximum(recall * hits[-1], np.finfo(np.float64).tiny)
    first = np.minimum(np.searchsorted(hits, least * (1 - 1e-12)), len(hits) - 1)
    return np.asarray(hits[first] / (hits[first] + misses[first]))


def _average_precision(hits: Floats, misses: Floats) -> float:
    gained = np.diff(hits)
    named = (hits + misses)[1:]
    precision = np.divide(hits[1:], named, out=np.zeros(len(gained)), where=named > 0)
    return float(gained @ precision / hits[-1])


def _interval(drawn: list[Floats], bootstrap: Bootstrap) -> tuple[Floats, Floats]:
    low, high = percentile_interval(np.array(drawn), bootstrap.confidence)
    return low, high
