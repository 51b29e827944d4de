"""Work in a thread of its own."""

from __future__ import annotations

import threading

from dermport.server.background import Background


def test_a_run_that_is_asked_for_during_another_begins_after_it() -> None:
    entered, leave, runs = threading.Event(), threading.Event(), []

    def work() -> None:
        runs.append(1)
        entered.set()
        assert leave.wait(5)

    background = Background(work, "test")
    assert not background.run()
    assert entered.wait(5)
    assert not background.run(0.05)  # its run has not begun, let alone ended
    leave.set()
    assert background.run(5)
    assert 2 <= len(runs) <= 3
    background.close()
    assert not background.run(0.05)


def test_who_waits_sees_the_end_of_a_run_of_their_own() -> None:
    state, seen = {"value": 0}, {"value": -1}
    background = Background(lambda: seen.update(state), "test")
    for value in range(200):
        state["value"] = value
        assert background.run(5)
        assert seen["value"] == value
    background.close()


def test_nothing_runs_until_it_is_asked_for() -> None:
    before = threading.active_count()
    Background(lambda: None, "test").close()
    assert threading.active_count() == before
