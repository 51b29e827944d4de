"""Calibration errors by hand, and how both kinds of bins fare on scores whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.statistics.calibration import BINS, calibration_error, equal_mass_bins, equal_width_bins
from dermport.statistics.metrics import Predictions, figures


def test_bins_of_equal_width_are_closed_above() -> None:
    values = np.array([0.0, 1 / BINS, np.nextafter(1 / BINS, 1), 0.5, 1.0, 1.0000001])
    assert equal_width_bins(values).tolist() == [0, 0, 1, 7, 14, 14]


@pytest.mark.parametrize("photos", [15, 150, 1000])
def test_bins_of_equal_mass_hold_equally_many(photos: int) -> None:
    counts = np.bincount(equal_mass_bins(np.random.default_rng(0).random(photos) ** 8), minlength=BINS)
    assert counts.max() - counts.min() <= 1


def test_equal_values_share_a_bin() -> None:
    bins = equal_mass_bins(np.repeat([0.1, 0.2], [90, 10]))
    assert len(set(bins[:90])) == len(set(bins[90:])) == 1
    assert bins[0] < bins[-1]


def test_the_error_is_that_counted_by_hand() -> None:
    bins, gap = np.array([0, 0, 5]), np.array([0.2, -0.1, 0.6])
    weights = np.array([[1.0, 2.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    found = calibration_error(bins, gap, weights)
    assert found[:2] == pytest.approx([(0.1 + 0.6) / 3, (0.4 + 0.6) / 3])
    assert np.isnan(found[2]), "an empty resample"


def test_only_bins_of_equal_mass_see_errors_that_cancel_near_nothing() -> None:
    """Ranks turned round among the low scores: right on average in the first bin of equal width, wrong everywhere."""
    random = np.random.default_rng(1)
    chance = random.uniform(0, 1 / BINS, 6000)
    truth = (random.random(6000) < chance).astype(int)
    score = 1 / BINS - chance
    found = figures(Predictions(np.stack([1 - score, score], axis=1), truth, (1,), 0.5))
    assert found["decision_ece"] == pytest.approx(0, abs=0.005)
    assert found["decision_adaptive_ece"] == pytest.approx(1 / 30, abs=0.006)  # the mean of |1/15 - 2 chance|
