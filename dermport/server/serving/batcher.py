"""Photos in batches before one runtime. It knows no HTTP: a deadline, a largest batch, a bounded queue, a clock."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dermport.errors import UnavailableError
from dermport.server.serving.slots import overloaded

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class BatchRule:
    """When a batch goes.

    Attributes:
        largest: It goes when it has so many items ...
        wait: ... or when its first item has waited so many seconds.
        queue: Items that may wait; one more is refused.
        deadline: Seconds after which an item that has not gone is refused.
    """

    largest: int
    wait: float
    queue: int
    deadline: float


@dataclass(frozen=True)
class BatchResult(Generic[_Result]):
    """The result of one item.

    Attributes:
        result: What the runtime made of it.
        waited: Seconds before its batch went.
        ran: Seconds that its batch took.
        batch: Items in its batch.
    """

    result: _Result
    waited: float
    ran: float
    batch: int


@dataclass
class _Entry(Generic[_Item, _Result]):
    item: _Item
    since: float
    future: Future[BatchResult[_Result]] = field(default_factory=Future)


class BatchQueue(Generic[_Item, _Result]):
    """Which items go when; it has neither threads nor a clock of its own, and times are given to it in seconds."""

    def __init__(self, rule: BatchRule) -> None:
        self._rule = rule
        self._entries: deque[_Entry[_Item, _Result]] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, item: _Item, now: float) -> Future[BatchResult[_Result]]:
        """Queue an item; RequestError 503 where the queue is full."""
        if len(self._entries) >= self._rule.queue:
            raise overloaded(self._rule.deadline)
        entry: _Entry[_Item, _Result] = _Entry(item, now)
        self._entries.append(entry)
        return entry.future

    def seconds_until_due(self, now: float) -> float | None:
        """Return how long until the next batch goes; None while nothing waits."""
        if not self._entries:
            return None
        if len(self._entries) >= self._rule.largest:
            return 0.0
        return max(0.0, self._entries[0].since + self._rule.wait - now)

    def take(self, now: float) -> list[_Entry[_Item, _Result]]:
        """Take the next batch out; items that have waited past the deadline, or were given up, are refused instead."""
        batch: list[_Entry[_Item, _Result]] = []
        while self._entries and len(batch) < self._rule.largest:
            entry = self._entries.popleft()
            if now - entry.since > self._rule.deadline:
                entry.future.set_exception(overloaded(self._rule.deadline))
            elif entry.future.set_running_or_notify_cancel():
                batch.append(entry)
        return batch


class Batcher(Generic[_Item, _Result]):
    """One thread that runs batches.

    Args:
        run: From the items of a batch to a result for each, in their order.
        rule: When a batch goes.
        now: A clock in seconds.
    """

    def __init__(
        self,
        run: Callable[[Sequence[_Item]], Sequence[_Result]],
        rule: BatchRule,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._now = now
        self._queue: BatchQueue[_Item, _Result] = BatchQueue(rule)
        self._changed = threading.Condition()
        self._closed = False
        self._busy = False
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, item: _Item) -> Future[BatchResult[_Result]]:
        """Queue an item.

        Raises:
            RequestError: 503 "overloaded": the queue is full. The future has the same where the deadline passes.
            UnavailableError: The batcher is closed.
        """
        with self._changed:
            if self._closed:
                raise UnavailableError("The model is being replaced.", remedy="Send the photo again.")
            future = self._queue.put(item, self._now())
            self._changed.notify()
        return future

    def counts(self) -> tuple[int, int]:
        """Return how many items wait, and whether a batch is running (0 or 1)."""
        with self._changed:
            return len(self._queue), int(self._busy)

    def close(self) -> None:
        """Answer what waits, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            if batch:
                self._answer(batch)

    def _next_batch(self) -> list[_Entry[_Item, _Result]] | None:
        """Wait for a batch; None once the batcher is closed and its queue empty."""
        with self._changed:
            self._busy = False
            while (seconds := self._queue.seconds_until_due(self._now())) is None or (seconds > 0 and not self._closed):
                if self._closed:
                    return None
                self._changed.wait(seconds)
            self._busy = True
            return self._queue.take(self._now())

    def _answer(self, batch: list[_Entry[_Item, _Result]]) -> None:
        began = self._now()
        try:
            results = self._run([entry.item for entry in batch])
        except Exception as error:  # whatever a runtime raises belongs to those who asked, and the thread lives on
            for entry in batch:
                entry.future.set_exception(error)
            return
        ran = self._now() - began
        for entry, result in zip(batch, results, strict=True):
            entry.future.set_result(BatchResult(result, began - entry.since, ran, len(batch)))
