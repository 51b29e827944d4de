"""How sure a threshold is."""

from __future__ import annotations

import numpy as np

from dermport.bundle.manifest import Decision
from dermport.statistics.bootstrap import Bootstrap, intervals
from dermport.statistics.metrics import Predictions
from dermport.statistics.threshold import choose_threshold
from dermport.training.evaluation.threshold import TuningSet, threshold_report
from tests.statistics.test_threshold import scored

BOOTSTRAP = Bootstrap(resamples=200)
TARGET = 0.9


def tuning(photos: int, seed: int = 1) -> TuningSet:
    scores, positive, ids = scored(photos, seed)
    return TuningSet(ids, ids, scores, positive)


def predictions(photos: int, threshold: float, seed: int = 2) -> tuple[Predictions, list[str]]:
    scores, positive, lesions = scored(photos, seed)
    return Predictions(np.stack([1 - scores, scores], axis=1), positive.astype(int), (1,), threshold), lesions


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
