"""Slots: first come, first served; a bounded queue; large photos leave a worker free."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from dermport.errors import RequestError, UnavailableError
from dermport.server.serving.slots import Slots


def _slots(*workers: str, queue: int = 8, wait_seconds: float = 5.0) -> Slots[str]:
    slots: Slots[str] = Slots(queue, wait_seconds)
    for worker in workers:
        slots.add(worker)
    return slots


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.001)


def test_a_worker_has_one_caller_at_a_time_and_comes_back() -> None:
    slots = _slots("a", "b")
    with slots.take() as first, slots.take() as second:
        assert {first, second} == {"a", "b"}
        assert slots.counts() == (0, 2, 2)
    assert slots.counts() == (0, 0, 2)


def test_callers_are_served_in_the_order_they_came() -> None:
    slots = _slots("a")
    order: list[int] = []

    def ask(number: int) -> None:
        with slots.take():
            order.append(number)

    with ThreadPoolExecutor(5) as threads, slots.take():
        for number in range(5):
            threads.submit(ask, number)
            _until(lambda wanted=number + 1: slots.counts()[0] == wanted)  # type: ignore[misc]
    assert order == [0, 1, 2, 3, 4]


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    slots = _slots("a", queue=1)
    with ThreadPoolExecutor(1) as threads:
        with slots.take():
            waiting = threads.submit(lambda: slots.take().__enter__())
            _until(lambda: slots.counts()[0] == 1)
            with pytest.raises(RequestError) as refused, slots.take():
                pass
        assert waiting.result() == "a"
    assert (refused.value.code, refused.value.status) == ("overloaded", 503)
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 1


def test_who_waits_too_long_is_refused_and_leaves_the_queue() -> None:
    slots = _slots("a", wait_seconds=0.02)
    with slots.take(), pytest.raises(RequestError, match="more photos"), slots.take():
        pass
    assert slots.counts() == (0, 0, 1)


@pytest.mark.parametrize("workers", [2, 3])
def test_large_photos_leave_one_worker_free(workers: int) -> None:
    slots = _slots(*"abc"[:workers], wait_seconds=0.02)
    with ExitStack() as stack:
        for _ in range(workers - 1):
            stack.enter_context(slots.take(large=True))
        with pytest.raises(RequestError), slots.take(large=True):
            pass
        with slots.take():
            pass


def test_a_small_photo_overtakes_a_large_one_that_has_to_wait() -> None:
    slots = _slots("a", "b")
    with ThreadPoolExecutor(1) as threads, slots.take(large=True):
        second = threads.submit(lambda: slots.take(large=True).__enter__())
        _until(lambda: slots.counts()[0] == 1)
        with slots.take():
            assert not second.done()
    assert second.result() in ("a", "b")


def test_one_worker_alone_takes_large_photos_too() -> None:
    with _slots("a").take(large=True) as worker:
        assert worker == "a"


def test_a_removed_worker_does_not_come_back() -> None:
    slots = _slots("a", "b")
    with slots.take() as taken:
        slots.remove(taken)
    assert slots.counts() == (0, 0, 1)
    with slots.take() as other:
        assert other != taken


def test_without_any_worker_callers_wait_for_the_one_that_is_being_started() -> None:
    with pytest.raises(UnavailableError), _slots(wait_seconds=0.02).take():
        pass
    slots = _slots()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(lambda: slots.take().__enter__())
        _until(lambda: slots.counts()[0] == 1)
        slots.add("new")
        assert waiting.result(5) == "new"


def test_nothing_is_lost_between_many_threads() -> None:
    slots = _slots("a", "b", "c", queue=64)
    used: dict[str, threading.Lock] = {name: threading.Lock() for name in "abc"}

    def ask(number: int) -> bool:
        with slots.take(large=number % 3 == 0) as worker:
            free = used[worker].acquire(blocking=False)
            time.sleep(0.0005)
            used[worker].release()
        return free

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(ask, range(400)))
    assert slots.counts() == (0, 0, 3)
