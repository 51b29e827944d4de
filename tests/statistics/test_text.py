"""Figures as people read them."""

from __future__ import annotations

import pytest

from dermport.statistics.estimates import Metric
from dermport.statistics.text import interval


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (Metric(value=0.8054, low=0.7849, high=0.8241), "0.805 (0.785 to 0.824)"),
        (Metric(value=-1e-7, low=-2e-7, high=0.0006), "0.000 (0.000 to 0.001)"),
        (Metric(value=0.5, low=None, high=None), "0.500 (–)"),
        (Metric(value=None, low=None, high=None), "–"),
        (None, "–"),
    ],
)
def test_an_interval_in_words(metric: Metric | None, words: str) -> None:
    assert interval(metric) == words
