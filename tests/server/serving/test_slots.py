"""Slots: one caller at a time, first come, first served, and a bounded queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from dermport.errors import RequestError
from dermport.server.serving.slots import Slots


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.001)


def test_callers_are_served_in_the_order_they_came() -> None:
    slots, order = Slots(8, 5.0), list[int]()

    def ask(number: int) -> None:
        with slots.take():
            assert slots.counts()[1] == 1
            order.append(number)

    with ThreadPoolExecutor(5) as threads, slots.take():
        for number in range(5):
            threads.submit(ask, number)
            _until(lambda wanted=number + 1: slots.counts()[0] == wanted)  # type: ignore[misc]
    assert order == [0, 1, 2, 3, 4]
    assert slots.counts() == (0, 0)


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    slots = Slots(1, 5.0)
    with ThreadPoolExecutor(1) as threads:
        with slots.take():
            waiting = threads.submit(lambda: slots.take().__enter__())
            _until(lambda: slots.counts()[0] == 1)
            with pytest.raises(RequestError) as refused, slots.take():
                pass
        waiting.result()
    assert (refused.value.code, refused.value.status) == ("overloaded", 503)
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 1


def test_who_waits_too_long_is_refused_and_leaves_the_queue() -> None:
    slots = Slots(8, 0.02)
    with slots.take(), pytest.raises(RequestError, match="more photos"), slots.take():
        pass
    assert slots.counts() == (0, 0)


def test_what_fails_leaves_the_slot() -> None:
    slots = Slots(8, 0.02)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), slots.take():
            raise ZeroDivisionError
