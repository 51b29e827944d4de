"""Net benefit by hand, and of models of which it is known."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.metrics import Predictions
from dermport.statistics.net_benefit import HIGHEST, LOWEST, DecisionCurve, NetBenefit, decision_curve


def curve(score: np.ndarray, positive: np.ndarray) -> DecisionCurve:
    predictions = Predictions(np.stack([1 - score, score], axis=1), positive.astype(int), (1,), 0.5)
    return decision_curve(predictions, [str(i) for i in range(len(score))], Bootstrap(resamples=200))


def at(found: DecisionCurve, threshold: float) -> NetBenefit:
    return next(one for one in found.points if one.threshold == pytest.approx(threshold))


def test_it_is_what_the_paper_defines() -> None:
    score = np.array([0.9, 0.3, 0.25, 0.22, 0.1, 0.05, 0.04, 0.03, 0.02, 0.02])
    positive = np.isin(np.arange(10), (0, 2, 5))
    found = curve(score, positive)
    assert (found.points[0].threshold, found.points[-1].threshold) == (LOWEST, HIGHEST)
    point = at(found, 0.2)
    assert point.model.value == pytest.approx(2 / 10 - 2 / 10 * 0.2 / 0.8)
    assert point.treat_all == pytest.approx(3 / 10 - 7 / 10 * 0.2 / 0.8)
    assert point.gain.value == pytest.approx(point.model.value - max(point.treat_all, 0))
    assert found.prevalence == 0.3


def test_a_perfect_model_gains_every_positive_and_a_constant_one_nothing() -> None:
    positive = np.arange(200) % 4 == 0
    perfect = curve(positive * 1.0, positive)
    assert {point.model.value for point in perfect.points} == {0.25}
    assert all(point.gain.low > 0 for point in perfect.points)
    constant = curve(np.full(200, 0.25), positive)
    assert not any(point.gain.low > 0 for point in constant.points)
    assert at(constant, 0.1).gain.value == pytest.approx(0)
    assert at(constant, 0.4).model.value == 0
