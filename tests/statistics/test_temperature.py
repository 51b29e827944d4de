"""The temperature of planted logits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.errors import DataError
from dermport.statistics.metrics import Predictions, figures
from dermport.statistics.temperature import at_temperature, fit_temperature, log_probabilities


def drawn_logits(photos: int = 3000, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Logits that are calibrated by construction: the truth is drawn from their softmax."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, size=(photos, 3))
    chances = at_temperature(logits, 1.0).cumsum(axis=1)
    truth = (generator.random((photos, 1)) > chances).sum(axis=1)
    return logits, np.minimum(truth, 2)


def nll(logits: NDArray, truth: NDArray, temperature: float) -> float:
    return float(figures(Predictions(at_temperature(logits, temperature), truth, (0,), 0.5))["nll"] or 0)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_temperature_is_found_again(true_temperature: float) -> None:
    logits, truth = drawn_logits()
    found = fit_temperature(logits * true_temperature, truth)
    assert found == pytest.approx(true_temperature, rel=0.06)
    best = nll(logits * true_temperature, truth, found)
    assert best < min(nll(logits * true_temperature, truth, found * step) for step in (0.99, 1.01))


def test_log_probabilities_serve_as_logits() -> None:
    logits, truth = drawn_logits(200)
    softmax = at_temperature(logits, 1.0)
    assert fit_temperature(log_probabilities(softmax), truth) == pytest.approx(fit_temperature(logits, truth))


@pytest.mark.parametrize(
    ("logits", "truth", "expected"),
    [
        pytest.param(np.eye(3) * 5, np.array([1, 2, 0]), 10.0, id="always wrong"),
        pytest.param(np.ones((4, 3)), np.zeros(4, int), 1.0, id="nothing told apart"),
        pytest.param(np.eye(3) * 3e4, np.arange(3), 1.0, id="certain, and right"),
    ],
)
def test_temperature_stays_in_bounds(logits: NDArray, truth: NDArray, expected: float) -> None:
    assert fit_temperature(logits, truth) == pytest.approx(expected)


def test_temperature_of_photos_told_apart_without_an_error_is_low_and_in_bounds() -> None:
    assert 0.1 <= fit_temperature(np.eye(3) * 2, np.arange(3)) < 0.12
    assert 0.1 <= fit_temperature(np.eye(3) * 5, np.arange(3)) < 0.3


@pytest.mark.parametrize("logits", [np.zeros((0, 3)), np.array([[np.nan, 0.0, 1.0]])])
def test_no_temperature_without_usable_photos(logits: NDArray) -> None:
    with pytest.raises(DataError):
        fit_temperature(logits, np.zeros(len(logits), int))
