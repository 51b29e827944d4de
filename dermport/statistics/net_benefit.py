"""The decision curve (Vickers and Elkin 2006, "Decision curve analysis: a novel method for evaluating prediction
models").

Net benefit at a threshold probability t is TP/n − FP/n · t/(1 − t): cancers found, less false alarms, each worth as
little as somebody who would act at t says. It holds for the prevalence of the scored photos alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from dermport.contract import Contract, Fraction
from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.estimates import Metric
from dermport.statistics.metrics import Floats, Predictions

# From "99 excisions for nothing are worth one cancer found" to "one is".
LOWEST, HIGHEST, STEP = 0.01, 0.50, 0.01
THRESHOLDS = np.arange(round(LOWEST / STEP), round(HIGHEST / STEP) + 1) * STEP


class NetBenefit(Contract):
    """Net benefit in true positives per photo, if one acts on everybody whose score reaches the threshold."""

    threshold: Fraction
    model: Metric
    treat_all: Annotated[float, Field(description="of acting on everybody; on nobody it is 0")]
    gain: Annotated[Metric, Field(description="the model's over the better one of all and none, at the same photos")]


class DecisionCurve(Contract):
    """Net benefit over a range of thresholds."""

    prevalence: Annotated[Fraction, Field(description="share of positives among the scored photos")]
    points: tuple[NetBenefit, ...]


def decision_curve(predictions: Predictions, lesions: Sequence[str], bootstrap: Bootstrap) -> DecisionCurve:
    """Return the decision curve of a score, with intervals by lesion.

    Args:
        predictions: N photos; the score is the decision's.
        lesions: The lesion that each photo shows, [N].
        bootstrap: How to resample.
    """
    (model,), (every,) = (values.T for values in _benefits(predictions, np.ones((len(lesions), 1))))
    drawn = [_benefits(predictions, weights) for weights in bootstrap.weights(lesions)]
    models, alls = (np.concatenate(values, axis=1) for values in zip(*drawn, strict=True))
    points = [
        NetBenefit(
            threshold=float(threshold),
            model=bootstrap.metric(model[index], models[index]),
            treat_all=float(every[index]),
            gain=bootstrap.metric(model[index] - max(every[index], 0), models[index] - np.maximum(alls[index], 0)),
        )
        for index, threshold in enumerate(THRESHOLDS.round(10))
    ]
    return DecisionCurve(prevalence=float(predictions.is_positive.mean()), points=tuple(points))


def _benefits(predictions: Predictions, weights: Floats) -> tuple[Floats, Floats]:
    """Return the net benefit of the model and of treating all, float64 [T, B] each."""
    positive, odds = predictions.is_positive, (THRESHOLDS / (1 - THRESHOLDS))[:, None]
    worth = np.where(positive, 1.0, -odds)  # [T, N]: what acting on a photo brings
    yes = predictions.scores >= THRESHOLDS[:, None]
    photos = weights.sum(axis=0)
    return (worth * yes) @ weights / photos, worth @ weights / photos
