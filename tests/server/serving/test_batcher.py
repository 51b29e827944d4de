"""The batcher: when a batch goes (times are given, nothing sleeps), and that each caller gets its own answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from dermport.errors import RequestError, UnavailableError
from dermport.server.serving.batcher import Batcher, BatchQueue, BatchResult, BatchRule

RULE = BatchRule(largest=3, wait=0.5, queue=5, deadline=2.0)


def _queue(*times: float) -> tuple[BatchQueue[str, str], list[Future[BatchResult[str]]]]:
    queue: BatchQueue[str, str] = BatchQueue(RULE)
    return queue, [queue.put(f"item {at}", at) for at in times]


def test_an_empty_queue_is_never_due() -> None:
    assert _queue()[0].seconds_until_due(100.0) is None


def test_a_batch_goes_when_its_first_item_has_waited() -> None:
    queue, _ = _queue(10.0, 10.4)
    assert queue.seconds_until_due(10.1) == pytest.approx(0.4)
    assert queue.seconds_until_due(10.6) == 0


def test_a_full_batch_goes_at_once_and_leaves_the_rest() -> None:
    queue, _ = _queue(10.0, 10.0, 10.0, 10.0)
    assert queue.seconds_until_due(10.0) == 0
    assert [entry.item for entry in queue.take(10.0)] == ["item 10.0"] * 3
    assert len(queue) == 1


def test_one_more_than_the_queue_holds_is_refused() -> None:
    queue, _ = _queue(1, 1, 1, 1, 1)
    with pytest.raises(RequestError) as refused:
        queue.put("late", 1)
    assert refused.value.status == 503
    assert len(queue) == 5


def test_items_past_the_deadline_are_refused_and_do_not_fill_the_batch() -> None:
    queue, futures = _queue(0.0, 0.0, 1.5, 1.6, 1.7)
    assert [entry.since for entry in queue.take(2.5)] == [1.5, 1.6, 1.7]
    assert isinstance(futures[0].exception(), RequestError)


def test_an_item_that_was_given_up_is_not_run() -> None:
    queue, futures = _queue(1.0, 1.0)
    futures[0].cancel()
    assert len(queue.take(1.0)) == 1


def _shout(items: Sequence[str]) -> list[str]:
    return [item.upper() for item in items]


def test_each_caller_gets_its_own_answer() -> None:
    batcher: Batcher[str, str] = Batcher(_shout, BatchRule(largest=4, wait=0.001, queue=64, deadline=10))
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: batcher.submit(f"a{n}").result(5), range(40)))
    assert [answered.result for answered in answers] == [f"A{n}" for n in range(40)]
    assert max(answered.batch for answered in answers) <= 4
    batcher.close()


def test_items_that_meet_share_a_batch() -> None:
    gate = threading.Event()
    batches: list[int] = []

    def run(items: Sequence[str]) -> list[str]:
        batches.append(len(items))
        gate.wait(5)
        return list(items)

    batcher: Batcher[str, str] = Batcher(run, BatchRule(largest=8, wait=0.0, queue=64, deadline=10))
    first = batcher.submit("first")
    while batcher.counts()[1] == 0 or not batches:
        pass
    rest = [batcher.submit(f"{n}") for n in range(5)]
    gate.set()
    assert first.result(5).batch == 1
    assert {future.result(5).batch for future in rest} == {5}
    batcher.close()


def test_a_failing_batch_fails_its_own_callers_only() -> None:
    def run(items: Sequence[str]) -> list[str]:
        if "bad" in items:
            raise ValueError("boom")
        return list(items)

    batcher: Batcher[str, str] = Batcher(run, BatchRule(largest=1, wait=0, queue=8, deadline=10))
    with pytest.raises(ValueError, match="boom"):
        batcher.submit("bad").result(5)
    assert batcher.submit("good").result(5).result == "good"
    batcher.close()


def test_closing_answers_what_waits_and_refuses_the_rest() -> None:
    batcher: Batcher[str, str] = Batcher(_shout, BatchRule(largest=8, wait=60, queue=8, deadline=100))
    waiting = batcher.submit("last")
    batcher.close()
    assert waiting.result(0).result == "LAST"
    with pytest.raises(UnavailableError):
        batcher.submit("later")
