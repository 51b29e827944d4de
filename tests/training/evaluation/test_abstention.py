"""The rule that training chooses: the asked share is answered, and quality takes no more than its part."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.bundle.photo_quality import INPUT_COLOURS
from dermport.errors import DataError, UsageError
from dermport.training.evaluation.abstention import Surveyed, answered, fit_abstention, survey_inputs, with_shares


def drawn(photos: int, seed: int = 0, dark: int = 0) -> Surveyed:
    random = np.random.default_rng(seed)
    return [
        {
            "too-dark": 20.0 if index < dark else 180.0,
            "too-bright": random.uniform(20, 150),
            "blurred": None if index % 10 == 9 else random.uniform(0.1, 0.4),
            "noisy": random.uniform(0.3, 1),
            "over-compressed": random.uniform(0.3, 1),
            "no-lesion": random.uniform(50, 150),
            **{name: random.normal(100, 10) for name in INPUT_COLOURS},
        }
        for index in range(photos)
    ]


@pytest.mark.parametrize("rate", [0.5, 0.8, 0.95, 1.0])
def test_the_asked_share_of_the_photos_is_answered(rate: float) -> None:
    photos = drawn(200)
    rule = fit_abstention(photos, rate)
    assert answered(rule, photos).sum() == rate * 200
    assert rule.answered["validation"].count == rate * 200


def test_what_looks_otherwise_is_not_answered() -> None:
    photos = drawn(200)
    others = [{**values, "red-green": 0.0} for values in photos]
    assert not answered(fit_abstention(photos, 0.95), others).any()


def test_a_bound_that_good_photos_exceed_is_loosened() -> None:
    few, many = fit_abstention(drawn(200, dark=1), 0.95), fit_abstention(drawn(200, dark=40), 0.95)
    first, then = ({bound.code: bound.threshold for bound in rule.quality} for rule in (few, many))
    assert first["too-dark"] == 80, "one of 200 is what the gate may take"
    assert then["too-dark"] == pytest.approx(19.8), "not on the photos' own value, where rounding would decide"
    assert then["blurred"] == 0.5, "nothing exceeds it"
    assert answered(many, drawn(200, dark=40)).sum() == 190


def test_the_share_of_other_parts_is_added() -> None:
    rule = fit_abstention(drawn(100), 0.9)
    both = with_shares(rule, {"test": drawn(50, seed=1)})
    assert set(both.answered) == {"validation", "test"}
    assert (both.answered["test"].of, both.threshold) == (50, rule.threshold)


def test_photos_that_are_all_alike_still_give_a_rule() -> None:
    flat = survey_inputs(np.full((3, 32, 32, 3), 200, np.uint8))
    assert answered(fit_abstention(flat, 0.95), flat).all()


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(UsageError, match="answer_rate"):
        fit_abstention(drawn(10), 0)
    with pytest.raises(DataError, match="At least two"):
        fit_abstention(drawn(1), 0.95)
