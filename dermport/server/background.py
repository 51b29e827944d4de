"""Work that a request asks for and need not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Background:
    """Runs one function in a thread of its own, whenever that was asked for; several requests meet in one run.

    Args:
        work: The function; it must not raise.
        name: Of the thread.
    """

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self._work = work
        self._name = name
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._asked = 0  # the number of the newest run that somebody wants
        self._done = 0  # the number of the newest run that is over
        self._running = False
        self._closed = False

    def run(self, timeout: float = 0.0) -> bool:
        """Ask for a run that begins after this call, and wait for its end.

        Args:
            timeout: Seconds to wait.

        Returns:
            Whether it ended in time.
        """
        with self._changed:
            if self._closed:
                return False
            # A run that has begun may not see what this caller wants it to see: the one after it will.
            mine = self._asked = self._done + 1 + self._running
            self._start()
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._done >= mine or self._closed, timeout) and self._done >= mine

    def close(self) -> None:
        """Begin no further run; one that has begun is left to end by itself."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
            self._thread.start()

    def _loop(self) -> None:
        while self._next():
            self._work()
            with self._changed:
                self._running = False
                self._done += 1
                self._changed.notify_all()

    def _next(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._asked > self._done or self._closed)
            self._running = not self._closed
            return self._running
