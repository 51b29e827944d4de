"""A bounded queue before what does one thing at a time: first come, first served, and never for long."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dermport.errors import RequestError


def overloaded(seconds: float) -> RequestError:
    """Return the refusal of a photo that would wait too long; `seconds` is when to try again."""
    return RequestError(
        "The server has more photos than it can answer in time.",
        code="overloaded",
        status=503,
        remedy="Send the photo again after the time in Retry-After.",
        retry_after=max(1.0, seconds),
    )


class Slots:
    """Lets one caller in at a time, in the order in which they came.

    Args:
        queue: Callers that may wait; one more is refused.
        wait_seconds: How long a caller may wait.
        now: A clock in seconds.
    """

    def __init__(self, queue: int, wait_seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._wait_seconds = wait_seconds
        self._now = now
        self._lock = threading.Lock()
        self._busy = False
        self._waiting: deque[threading.Lock] = deque()  # each is released when it is its caller's turn
        self._seconds_each = 0.05  # a first guess of what one photo takes; Retry-After follows the measured value

    @contextmanager
    def take(self) -> Iterator[None]:
        """Have the slot for the ``with`` block.

        Raises:
            RequestError: 503 "overloaded": the queue is full, or the slot did not become free in time.
        """
        self._enter()
        began = self._now()
        try:
            yield
        finally:
            with self._lock:
                self._seconds_each += 0.1 * (self._now() - began - self._seconds_each)
                self._hand_over()

    def counts(self) -> tuple[int, int]:
        """Return how many callers wait, and whether one is in (0 or 1)."""
        return len(self._waiting), int(self._busy)

    def _enter(self) -> None:
        with self._lock:
            if not self._busy:
                self._busy = True
                return
            if len(self._waiting) >= self._queue:
                raise overloaded(self._seconds_until_free())
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if mine.acquire(timeout=self._wait_seconds):
            return
        with self._lock:
            if mine not in self._waiting:  # it became this caller's turn just now
                return
            self._waiting.remove(mine)
            raise overloaded(self._seconds_until_free())

    def _seconds_until_free(self) -> float:
        return self._seconds_each * (len(self._waiting) + 1)

    def _hand_over(self) -> None:
        """Let the next one in; the caller holds the lock."""
        if self._waiting:
            self._waiting.popleft().release()
        else:
            self._busy = False
