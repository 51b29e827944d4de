"""A clock that is wrong, and then right: nothing is deleted by it, and no key is valid again."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from dermport.server.config import StorageConfig
from dermport.server.storage import clock as clocks
from dermport.server.storage.clock import RELEASED, Clock, ClockWatch
from dermport.server.storage.database import open_database
from dermport.server.storage.state import ServerState

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NOW = RELEASED + 100 * DAY
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def state(tmp_path: Path) -> ServerState:
    return ServerState(open_database(StorageConfig(tmp_path)))


# What the server saw last; then, at each run: the hours that it has run for, what the clock shows, what is expected.
@pytest.mark.parametrize(
    ("seen", "runs"),
    [
        (NOW, [(0, NOW + HOUR, True), (1, NOW + 2 * HOUR, True)]),
        (NOW, [(0, EPOCH, False), (1, EPOCH + HOUR, False), (48, EPOCH + 2 * DAY, False)]),
        (NOW, [(0, EPOCH, False), (1, NOW + HOUR, False), (2, NOW + 2 * HOUR, True)]),
        (NOW, [(0, NOW + 3650 * DAY, False), (1, NOW + HOUR, False), (2, NOW + 2 * HOUR, True)]),
        (NOW, [(0, NOW + 30 * DAY, False), (23, NOW + 30 * DAY + 23 * HOUR, False), (24, NOW + 31 * DAY, True)]),
        (NOW, [(0, NOW - 30 * DAY, False), (24, NOW - 29 * DAY, True), (25, NOW - 29 * DAY + HOUR, True)]),
        (NOW, [(0, NOW, True), (1, NOW + DAY, False), (2, NOW + DAY + HOUR, True)]),
        (None, [(0, NOW, False), (24, NOW + DAY, True)]),
    ],
    ids=["right", "1970", "1970-then-set", "2036-then-set", "off-for-a-month", "was-ahead", "jumped", "first"],
)
def test_only_a_clock_that_goes_on_is_believed(
    state: ServerState, seen: datetime | None, runs: list[tuple[int, datetime, bool]]
) -> None:
    if seen:
        state.see(seen)
    ticks = 0.0
    watch = ClockWatch(state, lambda: ticks)
    for hours, shown, believed in runs:
        ticks = hours * 3600.0
        assert watch.believes(shown) is believed, (hours, shown)
        if believed:
            assert state.seen_at() == shown


def test_the_newest_entry_counts_as_seen(state: ServerState) -> None:
    assert ClockWatch(state).believes(NOW, newest=NOW - HOUR)
    assert not ClockWatch(state).believes(NOW, newest=NOW + HOUR)


def test_a_clock_from_before_this_version_goes_on_from_what_was_seen(
    state: ServerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.see(NOW)
    clock = Clock(state)
    monkeypatch.setattr(clocks, "utc_now", lambda: EPOCH)
    assert NOW <= clock.now() < NOW + HOUR
    monkeypatch.setattr(clocks, "utc_now", lambda: NOW - DAY)
    assert clock.now() == NOW - DAY
