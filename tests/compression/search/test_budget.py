"""Budgets: what is understood, what is refused with the form shown, and which candidate they pick."""

from __future__ import annotations

import pytest

from dermport.compression.search.budget import parse_budget
from dermport.errors import UsageError
from tests.compression.search.factories import measured


@pytest.mark.parametrize(
    ("text", "within", "beyond"),
    [
        ("≤1 MB", {"size": 1_000_000}, {"size": 1_000_001}),
        ("<= 1MiB", {"size": 1_048_576}, {"size": 1_048_577}),
        ("≤ 900 KB", {"size": 900_000}, {"size": 900_001}),
        ("≤0.12 size", {"size": 1_080_000}, {"size": 1_080_001}),
        ("<= 0.4 latency", {"ratio": 0.4}, {"ratio": 0.41}),
        ("≤0,4 latency", {"ratio": 0.4}, {"ratio": 0.41}),
        ("≤ 5 ms", {"ratio": 0.5}, {"ratio": 0.51}),
        ("≤2 points", {"quality": 0.68}, {"quality": 0.679}),
        ("≥0.97 agreement", {"agreement": 0.97}, {"agreement": 0.969}),
        (">=.7 balanced accuracy", {"quality": 0.7}, {"quality": 0.69}),
    ],
)
def test_limit_holds_up_to_its_bound(text: str, within: dict[str, float], beyond: dict[str, float]) -> None:
    budget = parse_budget(text)
    assert budget.holds(measured(**within))  # type: ignore[arg-type]
    assert not budget.holds(measured(**beyond))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", " , ", "1 MB", "≤ MB", "≤1 parsec", "≥1 MB", "≤0.9 agreement", "≤1 MB ≤2 points", "<1 MB", "≤1"]
)
def test_what_is_no_budget_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(UsageError, match="≤2 points"):
        parse_budget(text)


def test_pick_is_the_best_in_what_is_not_limited() -> None:
    small = measured(1, quality=0.69, ratio=0.5, size=500_000)
    fast = measured(2, quality=0.68, ratio=0.3, size=900_000)
    good = measured(3, quality=0.71, ratio=0.9, size=950_000)
    huge = measured(4, quality=0.75, ratio=0.1, size=5_000_000)
    every = [small, fast, good, huge]
    assert parse_budget("≤1 MB").pick(every) == good
    assert parse_budget("≤1 MB, ≤2 points").pick(every) == fast
    assert parse_budget("≤1 MB, ≤2 points, ≤0.6 latency").pick(every) == small
    assert parse_budget("≤2 points, ≤0.6 latency").pick(every) == small
    assert parse_budget("≤1 KB").pick(every) is None


def test_nearest_is_the_one_that_exceeds_least() -> None:
    off_by_half = measured(1, quality=0.7, size=1_500_000)
    off_by_a_tenth = measured(2, quality=0.678, size=1_100_000)
    assert parse_budget("≤1 MB, ≤2 points").nearest([off_by_half, off_by_a_tenth]) == off_by_a_tenth
