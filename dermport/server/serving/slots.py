"""A bounded queue before a few workers: first come, first served, and large photos never take every worker."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dermport.errors import DermportError, RequestError, UnavailableError

_Worker = TypeVar("_Worker")


def overloaded(seconds: float) -> RequestError:
    """Return the refusal of a photo that would wait too long; `seconds` is when to try again."""
    return RequestError(
        "The server has more photos than it can answer in time.",
        code="overloaded",
        status=503,
        remedy="Send the photo again after the time in Retry-After.",
        retry_after=max(1.0, seconds),
    )


@dataclass
class _Waiting(Generic[_Worker]):
    """A thread in the queue, woken by `turn` once `worker` is its own."""

    large: bool
    turn: threading.Event = field(default_factory=threading.Event)
    worker: _Worker | None = None


class Slots(Generic[_Worker]):
    """Hands out workers, one to a caller.

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
        self._free: list[_Worker] = []
        self._workers: set[_Worker] = set()
        self._waiting: deque[_Waiting[_Worker]] = deque()
        self._large = 0
        self._seconds_each = 0.05  # a first guess of what one photo takes; Retry-After follows the measured value

    def add(self, worker: _Worker) -> None:
        """Take a worker in, free."""
        with self._lock:
            self._workers.add(worker)
            self._free.append(worker)
            self._hand_over()

    def remove(self, worker: _Worker) -> None:
        """Take a worker out, if it is in: whoever has it keeps it, and it does not come back."""
        with self._lock:
            self._workers.discard(worker)
            if worker in self._free:
                self._free.remove(worker)

    @contextmanager
    def take(self, large: bool = False) -> Iterator[_Worker]:
        """Have a worker for the ``with`` block.

        Args:
            large: One of those that take long; of several workers, one is kept free of them.

        Raises:
            RequestError: 503 "overloaded": the queue is full, or no worker became free in time.
            UnavailableError: There was no worker at all in that time.
        """
        worker = self._wait_for_one(large)
        began = self._now()
        try:
            yield worker
        finally:
            with self._lock:
                self._large -= large
                self._seconds_each += 0.1 * (self._now() - began - self._seconds_each)
                if worker in self._workers:
                    self._free.append(worker)
                self._hand_over()

    def counts(self) -> tuple[int, int, int]:
        """Return how many callers wait, how many workers are busy, and how many workers there are."""
        with self._lock:
            return len(self._waiting), len(self._workers) - len(self._free), len(self._workers)

    def _wait_for_one(self, large: bool) -> _Worker:
        mine: _Waiting[_Worker] = _Waiting(large)
        with self._lock:
            self._waiting.append(mine)
            self._hand_over()
            if mine.worker is None and len(self._waiting) > self._queue:
                self._waiting.remove(mine)
                raise overloaded(self._seconds_until_free())
        mine.turn.wait(self._wait_seconds)
        with self._lock:
            if mine.worker is None:
                self._waiting.remove(mine)
                raise self._no_turn()
        return mine.worker

    def _no_turn(self) -> DermportError:
        if self._workers:
            return overloaded(self._seconds_until_free())
        return UnavailableError("No worker is running.", remedy="One is being started; send the photo again.")

    def _seconds_until_free(self) -> float:
        return self._seconds_each * (len(self._waiting) + 1) / max(1, len(self._workers))

    def _hand_over(self) -> None:
        """Give free workers to those who wait, in order; the caller holds the lock."""
        while self._free and (chosen := self._next()) is not None:
            self._waiting.remove(chosen)
            self._large += chosen.large
            chosen.worker = self._free.pop()
            chosen.turn.set()

    def _next(self) -> _Waiting[_Worker] | None:
        room = self._large < max(1, len(self._workers) - 1)
        return next((one for one in self._waiting if room or not one.large), None)
