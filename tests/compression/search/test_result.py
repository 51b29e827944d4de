"""The front, and single recipes against it."""

from __future__ import annotations

from dermport.compression.search.budget import Budget, parse_budget
from dermport.compression.search.candidate import MeasuredCandidate
from dermport.compression.search.result import beats, front, result_of, verdict
from tests.compression.search.factories import measured


def _of(points: list[tuple[int, int, int]]) -> list[MeasuredCandidate]:
    return [measured(i, quality / 4, ratio, size) for i, (quality, ratio, size) in enumerate(points, start=1)]


def test_front_comes_with_the_most_accurate_first() -> None:
    assert [one.number for one in front(_of([(1, 1, 1), (3, 3, 3), (2, 2, 2)]))] == [2, 3, 1]


def test_a_latency_within_the_noise_beats_nothing() -> None:
    assert not beats(measured(1, ratio=0.99), measured(2, ratio=1.0))
    assert beats(measured(1, ratio=0.9), measured(2, ratio=1.0))
    assert beats(measured(1, ratio=1.01, size=900_000), measured(2, ratio=1.0))
    assert not beats(measured(1, ratio=1.1, size=900_000), measured(2, ratio=1.0))


def test_verdict_counts_single_recipes_on_the_front_and_behind_it() -> None:
    parent = measured(1, 0.70, 1.0, 9_000_000, techniques=())
    int8 = measured(2, 0.69, 0.5, 2_700_000, techniques=("int8",))
    both = measured(3, 0.70, 0.4, 2_700_000, techniques=("int8", "160 px"))
    result = result_of([parent, int8, both], Budget())
    assert result.front == (both,)
    assert result.undominated
    assert [comparison.beaten_by for comparison in result.single_recipes] == [(both,), (both,)]
    assert "No single recipe dominates" in verdict(result)
    assert "2 are dominated" in verdict(result)


def test_budget_picks_from_the_front_alone() -> None:
    behind, ahead = measured(1, 0.69, 0.5), measured(2, 0.70, 0.4)
    assert result_of([behind, ahead], parse_budget("≤2 MB")).picked == ahead
    assert result_of([behind, ahead], parse_budget("≤1 KB")).picked is None
