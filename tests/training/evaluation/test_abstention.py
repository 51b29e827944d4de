"""The rule that training chooses: the asked share is answered, and quality takes no more than its part."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.abstention import reasons
from bundle.errors import DataError, UsageError
from training.evaluation.abstention import Asked, answered, asked, fit_abstention, with_shares


def drawn(photos: int, seed: int = 0, dark: int = 0) -> Asked:
    random = np.random.default_rng(seed)
    values = {
        "too-dark": np.where(np.arange(photos) < dark, 20.0, 180.0),
        "too-bright": random.uniform(20, 150, photos),
        "blurred": np.where(random.random(photos) < 0.1, np.nan, random.uniform(0.1, 0.4, photos)),
        "no-lesion": random.uniform(50, 150, photos),
    }
    return Asked(random.dirichlet(np.full(4, 0.4), photos).astype(np.float32), values)


@pytest.mark.parametrize("rate", [0.5, 0.8, 0.95, 1.0])
def test_the_asked_share_of_the_photos_is_answered(rate: float) -> None:
    photos = drawn(200)
    rule = fit_abstention(photos, rate)
    assert answered(rule, photos).sum() == rate * 200
    assert rule.answered["validation"].count == rate * 200


def test_many_at_once_are_answered_as_one_by_one() -> None:
    photos = drawn(60, dark=3)
    rule = fit_abstention(photos, 0.7)
    one_by_one = [
        not reasons(rule, p, {code: None if np.isnan(v[at]) else float(v[at]) for code, v in photos.values.items()})
        for at, p in enumerate(photos.probabilities)
    ]
    assert answered(rule, photos).tolist() == one_by_one


def test_a_bound_that_good_photos_exceed_is_loosened() -> None:
    few, many = fit_abstention(drawn(200, dark=1), 0.95), fit_abstention(drawn(200, dark=40), 0.95)
    assert few.quality["too-dark"] == 80, "one of 200 is what the gate may take"
    assert many.quality["too-dark"] == 20
    assert many.quality["blurred"] == 0.5, "nothing exceeds it"
    assert answered(many, drawn(200, dark=40)).sum() == 190


def test_the_share_of_other_parts_is_added() -> None:
    rule = fit_abstention(drawn(100), 0.9)
    both = with_shares(rule, {"test": drawn(50, seed=1)})
    assert set(both.answered) == {"validation", "test"}
    assert (both.answered["test"].of, both.threshold) == (50, rule.threshold)


def test_inputs_are_surveyed() -> None:
    flat = np.full((2, 32, 32, 3), 200, np.uint8)
    photos = asked(np.array([[0.5, 0.5], [0.9, 0.1]]), flat)
    assert photos.values["no-lesion"].tolist() == [0, 0]


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(UsageError, match="answer-rate"):
        fit_abstention(drawn(10), 0)
    with pytest.raises(DataError):
        fit_abstention(asked(np.empty((0, 4)), []), 0.95)
