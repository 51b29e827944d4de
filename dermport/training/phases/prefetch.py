"""Batches made ready by a thread while the trainer trains on the one before."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Ready = TypeVar("Ready")
Item = TypeVar("Item")

_AHEAD = 2  # batches that wait, beside the one that is being made


@dataclass
class Waiting:
    """How long a consumer has waited for what it consumes.

    Attributes:
        seconds: So far.
        started: When it began, on the clock of ``time.perf_counter``.
    """

    seconds: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    @property
    def busy(self) -> float:
        """Share of the time since the beginning in which it did not wait, 0..1."""
        return 1 - self.seconds / max(time.perf_counter() - self.started, 1e-9)


@contextmanager
def prefetched(make: Callable[[Item], Ready], items: Iterable[Item], waiting: Waiting) -> Iterator[Iterator[Ready]]:
    """Yield an iterator over ``make(item)``, in order, which one thread computes ahead of who consumes it.

    One thread makes all of them, so that a random generator that `make` draws from is drawn from in order. What `make`
    raises is raised where its result would have come. The thread has ended when the block has, whatever ends it.

    Args:
        make: Called in the thread.
        items: Iterated over in the thread.
        waiting: Where the consumer's waiting is counted.
    """
    feed: _Prefetch[Ready] = _Prefetch(waiting)
    thread = threading.Thread(target=feed.fill, args=(make, items), name="batches", daemon=True)
    thread.start()
    try:
        yield iter(feed)
    finally:
        feed.stop()
        thread.join()


class _Prefetch(Generic[Ready]):
    def __init__(self, waiting: Waiting) -> None:
        self.waiting = waiting
        self.error: BaseException | None = None
        self._stopped = threading.Event()
        self._queue: queue.Queue[tuple[Ready] | None] = queue.Queue(_AHEAD)

    def fill(self, make: Callable[[Item], Ready], items: Iterable[Item]) -> None:
        try:
            for item in items:
                if self._stopped.is_set():
                    return
                self._queue.put((make(item),))
        except BaseException as error:  # it belongs to the consumer, which is in another thread
            self.error = error
        if not self._stopped.is_set():
            self._queue.put(None)

    def stop(self) -> None:
        self._stopped.set()
        while not self._queue.empty():  # a thread that waits for room goes on, sees the flag and ends
            self._queue.get_nowait()

    def __iter__(self) -> Iterator[Ready]:
        while (found := self._next()) is not None:
            yield found[0]
        if self.error is not None:
            raise self.error

    def _next(self) -> tuple[Ready] | None:
        started = time.perf_counter()
        found = self._queue.get()
        self.waiting.seconds += time.perf_counter() - started
        return found
