"""McNemar's exact test against values that can be computed by hand, and intervals that cover what they should."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.statistics.paired import mcnemar_exact, mean_difference, paired_change, ratio_of_medians


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 5, 1.0), (0, 6, 2 / 64), (1, 9, 22 / 1024), (9, 1, 22 / 1024), (3, 4, 1.0)],
)
def test_mcnemar_exact(first: int, second: int, p: float) -> None:
    assert mcnemar_exact(first, second) == pytest.approx(p)


def test_many_cases_do_not_overflow() -> None:
    assert 0 <= mcnemar_exact(2000, 3000) < 1e-40


def test_the_ratio_of_medians_resamples_passes() -> None:
    """Passes that lie apart make the interval wide, however many calls each has."""
    still = [[1.0] * 500, [1.0] * 500, [1.0] * 500]
    moody = [[1.0] * 500, [1.0] * 500, [2.0] * 500]
    assert ratio_of_medians(still, still).low == ratio_of_medians(still, still).high == 1
    assert ratio_of_medians(moody, still).high == 2


def test_a_paired_change_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        first = generator.random(300) < 0.8
        second = np.where(generator.random(300) < 0.1, ~first, first)
        change = paired_change(second, first)
        covered += change.low <= -0.06 <= change.high  # 0.1 × (0.2 − 0.8)
    assert covered >= 390


def test_one_lesion_alone_has_no_interval() -> None:
    found = mean_difference(np.array([0.4, 0.2]), np.array([0.1, 0.3]), ["a", "a"])
    assert (found.mean, found.low, found.high, found.positive) == (pytest.approx(0.1), None, None, 0.5)


def test_interval_of_a_mean_difference_is_drawn_by_lesion() -> None:
    first, second = np.tile([0.5, 0.1], 30), np.zeros(60)
    apart = mean_difference(first, second, [str(i) for i in range(60)])
    together = mean_difference(first, second, [str(i // 20) for i in range(60)])
    assert apart.mean == together.mean
    assert apart.low is not None
    assert apart.high is not None
    assert together.low is not None
    assert together.high is not None
    assert apart.low < apart.mean < apart.high
    assert apart.positive == 1.0
    assert together.high - together.low < 1e-9, "three lesions of equal means"
