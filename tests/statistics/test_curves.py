"""ROC and precision-recall curves against scikit-learn's, and their bands."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.curves import GRID, Curves, curves_of

BOOTSTRAP = Bootstrap(resamples=100)


def drawn(decimals: int, photos: int = 120) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(2)
    positive = random.random(photos) < 0.4
    return np.round(random.beta(2 + 2 * positive, 3), decimals), positive


def curves(scores: np.ndarray, positive: np.ndarray, photos_of_lesion: int = 1) -> Curves:
    lesions = [str(index // photos_of_lesion) for index in range(len(scores))]
    found = curves_of(scores, positive, lesions, BOOTSTRAP)
    assert found is not None
    return found


@pytest.mark.parametrize("decimals", [1, 8])
def test_they_are_those_of_scikit_learn(decimals: int) -> None:
    from sklearn import metrics

    scores, positive = drawn(decimals)
    found = curves(scores, positive)
    expected = metrics.roc_curve(positive, scores, drop_intermediate=False)[:2]
    assert np.allclose(np.stack([found.roc.x, found.roc.y]), np.stack(expected))
    assert found.average_precision.value == pytest.approx(metrics.average_precision_score(positive, scores))
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    for at in (0.25, 0.5, 0.9, 1.0):
        reached = recall[recall >= at - 1e-12].min()
        highest = np.flatnonzero(recall == reached)[-1]  # of equal recalls the one of the highest threshold
        assert found.precision.y[np.searchsorted(GRID, at - 1e-9)] == pytest.approx(precision[highest])
    assert found.prevalence == positive.mean()


@pytest.mark.parametrize("kind", ["roc", "precision"])
def test_the_curve_lies_in_its_band(kind: str) -> None:
    band = getattr(curves(*drawn(8)), kind)
    y = np.interp(GRID, band.x, band.y)
    inside = (band.low <= y + 1e-9) & (y - 1e-9 <= band.high)
    assert inside.mean() > 0.95
    assert (band.high - band.low).max() > 0.05


def test_photos_of_one_lesion_are_one_case() -> None:
    scores, positive = drawn(8)
    alone, repeated = curves(scores, positive), curves(np.repeat(scores, 3), np.repeat(positive, 3), 3)
    for kind in ("roc", "precision"):
        one, three = getattr(alone, kind), getattr(repeated, kind)
        assert np.mean(three.high - three.low) == pytest.approx(np.mean(one.high - one.low), rel=0.1)


def test_without_positives_or_negatives_there_are_none() -> None:
    for positive in (np.zeros(4, bool), np.ones(4, bool)):
        assert curves_of(np.arange(4.0), positive, list("abcd"), BOOTSTRAP) is None
