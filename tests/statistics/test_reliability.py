"""The bars of reliability diagrams agree with the errors that stand beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from dermport.statistics.metrics import Predictions, figures
from dermport.statistics.reliability import Bin, bin_interval, decision_reliability, reliability


def scored(photos: int = 500) -> Predictions:
    random = np.random.default_rng(5)
    probabilities = random.dirichlet((1, 2, 4), photos).astype(np.float32)
    truth = (random.random((photos, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    return Predictions(probabilities, truth, (0, 1), 0.4)


def error(bins: Sequence[Bin]) -> float:
    gaps = [one.photos * abs((one.accuracy or 0) - (one.mean_confidence or 0)) for one in bins]
    return sum(gaps) / sum(one.photos for one in bins)


def test_the_bins_make_the_errors() -> None:
    predictions = scored()
    found, of_top, of_decision = figures(predictions), reliability(predictions), decision_reliability(predictions)
    assert error(of_top.bins) == pytest.approx(of_top.ece) == pytest.approx(found["ece"])
    assert error(of_decision.equal_width) == pytest.approx(of_decision.ece) == pytest.approx(found["decision_ece"])
    assert error(of_decision.equal_mass) == pytest.approx(of_decision.adaptive_ece)
    assert of_decision.adaptive_ece == found["decision_adaptive_ece"]
    assert of_decision.brier == found["decision_brier"]


def test_the_bins_hold_every_photo_in_order() -> None:
    found = decision_reliability(scored())
    for bins in (found.equal_width, found.equal_mass):
        assert sum(one.photos for one in bins) == 500
        edges = [edge for one in bins for edge in (one.low, one.high)]
        assert edges == sorted(edges)
    assert {one.photos for one in found.equal_mass} <= {33, 34}


def test_a_bins_interval_holds_its_share() -> None:
    low, high = bin_interval(Bin(low=0, high=0.1, photos=20, mean_confidence=0.05, accuracy=0.1))
    assert 0 < low < 0.1 < high < 0.35
