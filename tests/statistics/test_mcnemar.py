"""McNemar's exact test against values that can be computed by hand."""

from __future__ import annotations

import pytest

from dermport.statistics.mcnemar import mcnemar_exact


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 5, 1.0), (0, 6, 2 / 64), (1, 9, 22 / 1024), (9, 1, 22 / 1024), (3, 4, 1.0)],
)
def test_values(first: int, second: int, p: float) -> None:
    assert mcnemar_exact(first, second) == pytest.approx(p)


def test_many_cases_do_not_overflow() -> None:
    assert 0 <= mcnemar_exact(2000, 3000) < 1e-40
