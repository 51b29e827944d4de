"""The time on a machine whose clock may be wrong until the network has set it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from dermport.errors import StorageError
from dermport.server.storage.base import utc_now
from dermport.server.storage.state import ServerState

_LOG = logging.getLogger("dermport.storage")
RELEASED = datetime(2026, 11, 1, tzinfo=timezone.utc)
"""No clock that shows an earlier time is right: this version was not there then."""
# The network corrects a clock by less than this all the time.
_JUMP = timedelta(minutes=5)
# A server that was off for longer cannot tell that from a clock that is wrong.
_USUAL = timedelta(days=2)
# By then the network has set the clock, where there is one.
_EVEN_SECONDS = 24 * 3600.0


class Clock:
    """The time, but never before this version was made: then, what the server saw last, and how long it runs since.

    A Jetson without a battery for its clock starts in 1970. No key becomes valid again by that, and what is stored
    then is not taken for half a century old once the clock is set.

    Args:
        state: Knows what the server saw last.
    """

    def __init__(self, state: ServerState) -> None:
        self._least = RELEASED
        with suppress(StorageError):
            self._least = max(RELEASED, state.seen_at() or RELEASED)
        self._began = time.monotonic()

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        shown = utc_now()
        return shown if shown >= RELEASED else self._least + timedelta(seconds=time.monotonic() - self._began)


class ClockWatch:
    """Says whether something may be deleted by what the clock shows.

    It may where the clock goes on from what it showed before, within two days; else once it has run evenly for a day.

    Args:
        state: Remembers what a clock that may be believed showed last.
        monotonic: A clock in seconds that nobody sets.
    """

    def __init__(self, state: ServerState, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._state, self._monotonic = state, monotonic
        self._began: tuple[datetime, float] | None = None

    def believes(self, now: datetime, newest: datetime | None = None) -> bool:
        """Return whether a clock that shows `now` may be believed, and remember it then.

        Args:
            now: What it shows.
            newest: The time of the newest entry; None where there is none.

        Raises:
            StorageError: What it showed before cannot be read or written.
        """
        before = max(filter(None, (self._state.seen_at(), newest)), default=None)
        believed = self._goes_on(now, before) and now >= RELEASED
        if believed:
            self._state.see(now)
        else:
            _LOG.warning("the clock shows %s, after %s: nothing is deleted by it for now", now, before or "nothing")
        return believed

    def _goes_on(self, now: datetime, before: datetime | None) -> bool:
        even = self._even_seconds(now)
        near = before is not None and -_JUMP <= now - before <= _USUAL
        return even is not None and (near or even >= _EVEN_SECONDS)

    def _even_seconds(self, now: datetime) -> float | None:
        """Return for how long the clock has run as time goes; None where it has just jumped."""
        ticks = self._monotonic()
        shown, began = self._began or (now, ticks)
        jumped = abs(now - shown - timedelta(seconds=ticks - began)) > _JUMP
        self._began = (now, ticks) if jumped else (shown, began)
        return None if jumped else ticks - began
