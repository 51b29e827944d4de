"""Threads, as many as are needed."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Threads:
    """As many threads as are needed, up to a bound, that do the same over and over.

    Args:
        most: The bound.
        work: What they do.
    """

    def __init__(self, most: int, work: Callable[[], None]) -> None:
        self._most, self._work = most, work
        self._lock = threading.Lock()
        self._waiting = self._count = 0

    def wait(self) -> None:
        """Say that the thread has nothing to do."""
        with self._lock:
            self._waiting += 1

    def go(self) -> None:
        """Say that it has; where no thread is left that has not, there is one more."""
        with self._lock:
            self._waiting -= 1
            more = not self._waiting and self._count < self._most
        if more:
            self.start()

    def start(self) -> None:
        """Start one more."""
        with self._lock:
            self._count += 1
            name = f"requests-{self._count}"
        threading.Thread(target=self._loop, name=name, daemon=True).start()

    def _loop(self) -> None:
        while True:
            self._work()
