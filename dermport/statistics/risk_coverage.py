"""Risk and coverage: how many errors are left where only the surest answers are given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dermport.statistics.bootstrap import DEFAULT, Bootstrap
from dermport.statistics.estimates import Metric

Floats = NDArray[np.float64]


def risk_coverage(
    confidence: NDArray[np.floating], wrong: NDArray[np.bool_], lesions: Sequence[str], bootstrap: Bootstrap = DEFAULT
) -> tuple[Floats, Metric]:
    """Return the error rate among the surest 1, 2, ..., N photos, float64 [N], and the area under it (AURC).

    Geifman, Uziel and El-Yaniv 2019, "Bias-reduced uncertainty estimation" (https://arxiv.org/abs/1805.08206): the mean
    of the selective risk over all coverages; the interval is by lesion.

    Args:
        confidence: By which photos are answered first, the highest first, [N].
        wrong: Whether the label is wrong, [N].
        lesions: That the photos show, [N].
        bootstrap: How to resample.
    """
    order = np.argsort(-confidence, kind="stable")
    errors = wrong[order].astype(np.float64)[:, None]
    ordered = [lesions[index] for index in order]
    point, curve = _area(errors, np.ones((len(order), 1)))
    drawn = np.concatenate([_area(errors, weights)[0] for weights in bootstrap.weights(ordered)])
    return curve[:, 0], bootstrap.metric(float(point[0]), drawn)


def _area(errors: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the area [B] and the curve [N, B] of errors [N, 1], the surest first, under weights [N, B]."""
    covered = weights.cumsum(axis=0)
    curve = (errors * weights).cumsum(axis=0) / np.maximum(covered, 1e-12)
    return np.asarray((curve * weights).sum(axis=0) / weights.sum(axis=0)), curve
