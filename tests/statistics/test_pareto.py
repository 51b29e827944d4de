"""Pareto dominance by brute force."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dermport.statistics.pareto import dominates, on_front

_ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=25)


@given(_ROWS)
def test_on_the_front_is_what_no_other_dominates(rows: list[tuple[int, int, int]]) -> None:
    for row, first in zip(rows, on_front(rows), strict=True):
        better = [other for other in rows if all(a <= b for a, b in zip(other, row, strict=True)) and other != row]
        assert first == (not better), "equals do not beat each other"


@given(_ROWS)
def test_dominance_is_strict_and_transitive(rows: list[tuple[int, int, int]]) -> None:
    for a in rows:
        assert not dominates(a, a)
        for b in rows:
            assert not (dominates(a, b) and dominates(b, a))
            for c in rows:
                assert not (dominates(a, b) and dominates(b, c)) or dominates(a, c)
