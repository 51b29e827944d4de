"""What is done now and then, whether anybody asks or not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from dermport.errors import StorageError
from dermport.server.storage.base import utc_now

_LOG = logging.getLogger("dermport.housekeeping")
_HOURLY = 3600.0
# How soon another process does it, after the one that did has ended.
_TURN_SECONDS = 30.0


class Housekeeping:
    """Deletes what is over its time, at once and then every hour, in a thread of its own.

    Args:
        purge: Deletes; told the time, returns how many went.
        is_mine: Whether it is this process that does it.
        pause: Seconds between two runs.
    """

    def __init__(
        self, purge: Callable[[datetime], int], is_mine: Callable[[], bool] = lambda: True, pause: float = _HOURLY
    ) -> None:
        self._purge, self._is_mine = purge, is_mine
        self._pause = pause
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it, after what it is doing."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_mine():
            if self._closed.wait(_TURN_SECONDS):
                return
        while True:
            try:
                if gone := self._purge(utc_now()):
                    _LOG.info("%d comparisons were over their time and are deleted", gone)
            except (StorageError, OSError) as error:  # the disk or the database; there will be another time
                _LOG.error("old comparisons could not be deleted: %s", error)
            if self._closed.wait(self._pause):
                return
