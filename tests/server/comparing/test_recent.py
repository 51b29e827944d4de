"""The last inputs are remembered, and no more of them than asked for."""

from __future__ import annotations

from dermport.server.comparing.comparisons import RecentInputs


def test_the_oldest_is_forgotten() -> None:
    recent = RecentInputs(most=2)
    for name in ("a", "b", "a", "c"):
        recent.add(name)
    assert [name in recent for name in ("a", "b", "c")] == [True, False, True]
