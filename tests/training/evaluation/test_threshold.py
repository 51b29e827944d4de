"""How sure a threshold is."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.bundle.manifest import Decision
from dermport.statistics.bootstrap import Bootstrap, intervals
from dermport.statistics.metrics import Predictions
from dermport.training.evaluation.threshold import Tuning, choose_threshold, threshold_report

BOOTSTRAP = Bootstrap(resamples=200)
TARGET = 0.9


def scored(photos: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    random = np.random.default_rng(seed)
    positive = random.random(photos) < 0.3
    return random.beta(2 + 3 * positive, 4), positive, [f"{seed}-{index}" for index in range(photos)]


def tuning(photos: int, seed: int = 1) -> Tuning:
    scores, positive, ids = scored(photos, seed)
    return Tuning(ids, ids, scores, positive)


def predictions(photos: int, threshold: float, seed: int = 2) -> tuple[Predictions, list[str]]:
    scores, positive, lesions = scored(photos, seed)
    return Predictions(np.stack([1 - scores, scores], axis=1), positive.astype(int), (1,), threshold), lesions


def test_a_resample_is_chosen_as_the_photos_themselves_are() -> None:
    chosen_on = tuning(60)
    weights = np.concatenate(list(BOOTSTRAP.weights(chosen_on.lesions)), axis=1)
    drawn = chosen_on.thresholds(TARGET, BOOTSTRAP)
    assert drawn.shape == (200,)
    for index in (0, 7, 199):
        photos = np.repeat(np.arange(60), weights[:, index].astype(int))
        assert drawn[index] == choose_threshold(chosen_on.scores[photos], chosen_on.positive[photos], TARGET)


def test_a_resample_without_a_positive_has_no_threshold() -> None:
    lone = Tuning(["a", "b"], ["a", "b"], np.array([0.2, 0.6]), np.array([False, True]))
    drawn = lone.thresholds(TARGET, Bootstrap(resamples=40))
    assert 0 < np.isnan(drawn).sum() < 40


def test_fewer_photos_or_several_of_a_lesion_make_it_less_sure() -> None:
    def width(chosen_on: Tuning) -> float:
        low, high = BOOTSTRAP.bounds(chosen_on.thresholds(TARGET, BOOTSTRAP))
        return (high or 0) - (low or 0)

    alone = tuning(300)
    many = Tuning(np.repeat(alone.photo_ids, 4), np.repeat(alone.lesions, 4), *_repeated(alone))
    assert width(tuning(60)) > 1.4 * width(alone)
    assert width(many) == pytest.approx(width(alone), rel=0.25), "four photos of each lesion are no more cases"


def _repeated(chosen_on: Tuning) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(chosen_on.scores, 4), np.repeat(chosen_on.positive, 4)


def test_both_chances_are_in_the_interval_of_the_sensitivity() -> None:
    chosen_on = tuning(80)
    decision = Decision(
        threshold=choose_threshold(chosen_on.scores, chosen_on.positive, TARGET), target_sensitivity=TARGET
    )
    found, lesions = predictions(400, decision.threshold)
    report = threshold_report(chosen_on, found, lesions, decision, BOOTSTRAP)
    given = intervals(found, lesions, BOOTSTRAP).overall
    for name, metric in (("sensitivity", report.sensitivity), ("specificity", report.specificity)):
        alone = given[f"decision_{name}"]
        assert metric.value == alone.value
        assert metric.high - metric.low > 1.3 * (alone.high - alone.low)
    assert report.threshold.low < decision.threshold < report.threshold.high
    assert (report.low.threshold, report.high.threshold) == (report.threshold.low, report.threshold.high)
    assert report.low.sensitivity >= report.sensitivity.value >= report.high.sensitivity
    assert report.low.specificity <= report.specificity.value <= report.high.specificity
    assert (report.photos, report.positives) == (80, chosen_on.positive.sum())
