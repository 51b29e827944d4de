"""What is resampled: clusters, and blocks with their members."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.statistics.bootstrap import (
    DEFAULT,
    intervals,
    paired_intervals,
    percentile_interval,
    resampled_blocks,
    resampled_clusters,
)
from dermport.statistics.curves import curves_of
from dermport.statistics.metrics import Predictions
from dermport.statistics.text import in_words


def test_clusters_are_drawn_with_replacement_and_repeatably() -> None:
    drawn = resampled_clusters(5, 200)
    assert drawn.shape == (200, 5)
    assert set(drawn.ravel().tolist()) == set(range(5))
    np.testing.assert_array_equal(drawn, resampled_clusters(5, 200))


def test_members_are_drawn_from_their_own_block() -> None:
    blocks = [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]
    drawn = resampled_blocks(blocks, 100, np.random.default_rng(0))
    assert drawn.shape == (100, 2, 3)
    assert all(set(block) <= set(blocks[0]) or set(block) <= set(blocks[1]) for block in drawn.reshape(-1, 3).tolist())
    assert any((resample > 3).all() for resample in drawn), "whole blocks are drawn, too"


def test_interval_is_taken_over_the_first_axis() -> None:
    drawn = np.arange(101.0)[:, None] * [1, 10]
    np.testing.assert_allclose(percentile_interval(drawn, 0.9), [[5, 50], [95, 950]])


@pytest.mark.parametrize(
    ("positive_lesions", "other_lesions", "without"),
    [
        (("a",), ("x", "y", "z"), {"decision_sensitivity", "decision_roc_auc"}),
        (("a", "a"), ("x", "y", "z"), {"decision_sensitivity", "decision_roc_auc"}),
        (("a", "b"), ("x", "x"), {"decision_specificity", "decision_roc_auc"}),
        (("a", "b"), ("x", "y"), set()),
    ],
)
def test_what_one_lesion_carries_has_no_interval(
    positive_lesions: tuple[str, ...], other_lesions: tuple[str, ...], without: set[str]
) -> None:
    truth = np.array([1] * len(positive_lesions) + [0] * len(other_lesions))
    scores = np.linspace(0.9, 0.2, len(truth))
    answers, lesions = np.stack([1 - scores, scores], axis=1), [*positive_lesions, *other_lesions]
    predictions = Predictions(answers, truth, (1,), 0.5)
    found = intervals(predictions, lesions)
    assert {name for name, one in found.overall.items() if one.value is not None and one.low is None} == without
    assert {in_words(found.overall[name]).partition(" (")[2] for name in without} <= {"–)"}
    changes = paired_intervals(answers, answers, truth, lesions, positive=(1,), threshold=0.5)
    assert {name for name, one in changes.items() if one.low is None} == without
    curves = curves_of(predictions.scores, predictions.is_positive, lesions, DEFAULT)
    assert curves is not None
    assert (curves.average_precision.low is None) == bool(without)
    of_class = found.per_class["recall"][1]
    assert (of_class.low is None) == ("decision_sensitivity" in without)
