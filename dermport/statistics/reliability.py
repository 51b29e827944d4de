"""Reliability diagrams: how often what was said to be so probable came true."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dermport.contract import Contract
from dermport.statistics.calibration import BINS, equal_mass_bins, equal_width_bins
from dermport.statistics.metrics import Predictions, figures
from dermport.statistics.wilson import wilson_interval


class Bin(Contract):
    """One bar of a reliability diagram: photos by a probability, in (low, high], and how often it came true."""

    low: float
    high: float
    photos: int
    mean_confidence: float | None
    accuracy: Annotated[float | None, Field(description="share of photos in which it came true")]


class Reliability(Contract):
    """How far the top class's probability can be taken at its word."""

    ece: float
    nll: float
    bins: tuple[Bin, ...]


class DecisionReliability(Contract):
    """How far the decision's score can be: bins of equal width, and of equally many photos."""

    ece: float
    adaptive_ece: float
    brier: float
    equal_width: tuple[Bin, ...]
    equal_mass: tuple[Bin, ...]


def reliability(predictions: Predictions) -> Reliability:
    """Return calibration error, log-likelihood and the bars of the top class's reliability diagram."""
    found = figures(predictions)
    confidence = predictions.probabilities.max(axis=1)
    bins = _equal_width(confidence, predictions.predicted == predictions.truth)
    return Reliability(ece=found["ece"] or 0.0, nll=found["nll"] or 0.0, bins=bins)


def decision_reliability(predictions: Predictions) -> DecisionReliability:
    """Return the same of the decision's score: the summed probability of the positive labels."""
    found = figures(predictions)
    score, positive = predictions.scores, predictions.is_positive
    return DecisionReliability(
        ece=found["decision_ece"] or 0.0,
        adaptive_ece=found["decision_adaptive_ece"] or 0.0,
        brier=found["decision_brier"] or 0.0,
        equal_width=_equal_width(score, positive),
        equal_mass=_equal_mass(score, positive),
    )


def bin_interval(one: Bin) -> tuple[float, float]:
    """Return Wilson's interval of the share in a bin, which takes photos as independent."""
    return wilson_interval(round((one.accuracy or 0.0) * one.photos), one.photos)


def _equal_width(values: NDArray[np.floating], true: NDArray[np.bool_]) -> tuple[Bin, ...]:
    bins = equal_width_bins(values)
    edges = np.arange(BINS + 1) / BINS
    return tuple(_bin(edges[k], edges[k + 1], values[bins == k], true[bins == k]) for k in range(BINS))


def _equal_mass(values: NDArray[np.floating], true: NDArray[np.bool_]) -> tuple[Bin, ...]:
    """Return the bins that hold photos, each as wide as its photos reach."""
    bins = equal_mass_bins(values)
    inside = [(values[bins == k], true[bins == k]) for k in np.unique(bins)]
    return tuple(_bin(of_bin.min(), of_bin.max(), of_bin, came) for of_bin, came in inside)


def _bin(low: float, high: float, values: NDArray[np.floating], true: NDArray[np.bool_]) -> Bin:
    return Bin(
        low=float(low),
        high=float(high),
        photos=len(values),
        mean_confidence=float(values.mean()) if len(values) else None,
        accuracy=float(true.mean()) if len(values) else None,
    )
