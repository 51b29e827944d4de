"""Bland and Altman's limits against the textbook's formulas."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.statistics.bland_altman import bland_altman
from dermport.statistics.bootstrap import Bootstrap

QUICK = Bootstrap(resamples=200)


def test_bland_altman_is_mean_and_limits_of_the_differences() -> None:
    generator = np.random.default_rng(0)
    phone = generator.uniform(0.3, 0.6, 80)
    server = phone - generator.normal(0.02, 0.05, 80)
    differences = phone - server
    figures = bland_altman(differences, list(map(str, range(80))), QUICK)
    assert figures is not None
    sd = differences.std(ddof=1)
    assert figures.bias.value == pytest.approx(differences.mean())
    assert figures.sd == pytest.approx(sd)
    assert figures.upper.value == pytest.approx(differences.mean() + 1.959964 * sd)
    assert figures.lower.value == pytest.approx(differences.mean() - 1.959964 * sd)
    for metric in (figures.bias, figures.lower, figures.upper):
        assert metric.low is not None
        assert metric.high is not None
        assert metric.value is not None
        assert metric.low < metric.value < metric.high
    # The textbook's standard error of the bias, sd / sqrt(n), is what the bootstrap estimates.
    assert figures.bias.high - figures.bias.low == pytest.approx(2 * 1.96 * sd / 80**0.5, rel=0.3)  # type: ignore[operator]


def test_photos_of_one_lesion_are_one_case() -> None:
    differences = np.repeat([0.0, 0.1, 0.2, 0.3], 10)
    clustered, single = (
        bland_altman(differences, [str(i // of_each) for i in range(40)], QUICK) for of_each in (10, 1)
    )
    assert clustered is not None
    assert single is not None
    assert clustered.bias.high - clustered.bias.low > 2 * (single.bias.high - single.bias.low)  # type: ignore[operator]


def test_one_photo_has_no_limits() -> None:
    assert bland_altman(np.array([0.1]), ["a"]) is None
