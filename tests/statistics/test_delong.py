"""DeLong's test against scikit-learn's areas, the bootstrap, and what can be known without computing."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.delong import delong
from dermport.statistics.metrics import roc_auc


def drawn(photos: int = 600, decimals: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two scores of the same cases, the first better."""
    random = np.random.default_rng(3)
    positive = random.random(photos) < 0.3
    shared = random.normal(size=photos)
    first = shared + random.normal(size=photos) + 2.0 * positive
    second = shared + random.normal(size=photos) + 1.6 * positive
    return np.round(first, decimals), np.round(second, decimals), positive


@pytest.mark.parametrize("decimals", [0, 8])
def test_the_areas_are_those_of_scikit_learn(decimals: int) -> None:
    from sklearn.metrics import roc_auc_score

    first, second, positive = drawn(decimals=decimals)
    found = delong(first, second, positive)
    assert found is not None
    assert found.first == pytest.approx(roc_auc_score(positive, first))
    assert found.second == pytest.approx(roc_auc_score(positive, second))
    assert found.change == pytest.approx(found.first - found.second)


@pytest.mark.parametrize("decimals", [0, 8])
def test_the_interval_is_that_of_the_bootstrap_where_cases_are_independent(decimals: int) -> None:
    first, second, positive = drawn(decimals=decimals)
    found = delong(first, second, positive)
    bootstrap = Bootstrap(resamples=2000)
    (changes,) = zip(
        *(
            (roc_auc(first, positive, weights) - roc_auc(second, positive, weights),)
            for weights in bootstrap.weights([str(case) for case in range(len(positive))])
        ),
        strict=True,
    )
    low, high = bootstrap.bounds(np.concatenate(changes))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1 * (found.high - found.low))
    assert (found.p < 0.05) == (found.low > 0)


def test_photos_of_one_lesion_make_it_too_sure() -> None:
    first, second, positive = (np.repeat(values, 4) for values in drawn(150))
    alone, repeated = delong(*drawn(150)), delong(first, second, positive)
    assert alone is not None
    assert repeated is not None
    assert repeated.change == pytest.approx(alone.change)
    assert (repeated.high - repeated.low) == pytest.approx((alone.high - alone.low) / 2, rel=0.02)


def test_equal_scores_do_not_differ() -> None:
    first, _, positive = drawn()
    found = delong(first, first, positive)
    assert found is not None
    assert (found.change, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_a_score_turned_round_differs_surely() -> None:
    positive = np.arange(40) < 20
    found = delong(positive * 1.0, ~positive * 1.0, positive)
    assert found is not None
    assert (found.first, found.second, found.p) == (1, 0, 0)


@pytest.mark.parametrize("positives", [0, 1, 7, 8])
def test_too_few_cases_say_nothing(positives: int) -> None:
    assert delong(np.arange(8.0), np.arange(8.0), np.arange(8) < positives) is None
