"""Which threshold is chosen, and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.errors import DataError, UsageError
from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.threshold import choose_threshold, resampled_thresholds

BOOTSTRAP = Bootstrap(resamples=200)
TARGET = 0.9


def scored(photos: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    random = np.random.default_rng(seed)
    positive = random.random(photos) < 0.3
    return random.beta(2 + 3 * positive, 4), positive, [f"{seed}-{index}" for index in range(photos)]


@pytest.mark.parametrize("target", [0.05, 0.5, 0.55, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("decimals", [1, 8])
def test_threshold_reaches_the_sensitivity_with_the_fewest_alarms(target: float, decimals: int) -> None:
    generator = np.random.default_rng(4)
    scores = np.round(generator.random(300), decimals)
    positive = generator.random(300) < 0.33
    threshold = choose_threshold(scores, positive, target)

    def reached(candidate: float) -> bool:
        return bool(np.mean(scores[positive] >= candidate) >= target)

    assert reached(threshold)
    alarms = (scores >= threshold).sum()
    assert not any(reached(candidate) for candidate in scores if (scores >= candidate).sum() < alarms)
    assert np.abs(scores - threshold).min() > 0 or scores.min() >= threshold, "a photo's decision hangs on rounding"


def test_exact_shares_need_no_photo_more() -> None:
    scores = np.arange(1, 101) / 100
    assert choose_threshold(scores, np.ones(100, bool), 0.55) == pytest.approx(0.455)  # 0.55 * 100 is 55.00000000000001


def test_threshold_stays_a_probability() -> None:
    assert choose_threshold(np.array([1.0000001, 1.0000002]), np.array([False, True]), 1.0) == 1.0


def test_threshold_needs_positives_and_a_sensitivity() -> None:
    with pytest.raises(DataError, match="Not one of 3 photos"):
        choose_threshold(np.zeros(3), np.zeros(3, bool), 0.9)
    for target in (0, 1.5):
        with pytest.raises(UsageError, match="cannot be aimed at"):
            choose_threshold(np.zeros(3), np.ones(3, bool), target)


def test_a_resample_is_chosen_as_the_photos_themselves_are() -> None:
    scores, positive, lesions = scored(60, 1)
    weights = np.concatenate(list(BOOTSTRAP.weights(lesions)), axis=1)
    drawn = resampled_thresholds(scores, positive, lesions, TARGET, BOOTSTRAP)
    assert drawn.shape == (200,)
    for index in (0, 7, 199):
        photos = np.repeat(np.arange(60), weights[:, index].astype(int))
        assert drawn[index] == choose_threshold(scores[photos], positive[photos], TARGET)


def test_a_resample_without_a_positive_has_no_threshold() -> None:
    alone = Bootstrap(resamples=40)
    drawn = resampled_thresholds(np.array([0.2, 0.6]), np.array([False, True]), ["a", "b"], TARGET, alone)
    assert 0 < np.isnan(drawn).sum() < 40


def test_fewer_photos_or_several_of_a_lesion_make_it_less_sure() -> None:
    def width(photos: int, of_each: int = 1) -> float:
        scores, positive, lesions = (np.repeat(column, of_each) for column in scored(photos, 1))
        low, high = BOOTSTRAP.bounds(resampled_thresholds(scores, positive, lesions, TARGET, BOOTSTRAP))
        return (high or 0) - (low or 0)

    assert width(60) > 1.4 * width(300)
    assert width(300, 4) == pytest.approx(width(300), rel=0.25), "four photos of each lesion are no more cases"
