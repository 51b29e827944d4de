"""The table of comparisons, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy.orm import Session

from dermport.errors import RequestError
from dermport.server.storage.comparisons import BATCH, ComparisonStore, Filters, Vote
from dermport.server.storage.database import Database
from tests.server.comparing.made import NOON, PHONE_FILE, comparison

HOUR = timedelta(hours=1)


@pytest.fixture
def store(database: Database) -> ComparisonStore:
    return ComparisonStore(database)


def test_what_was_stored_reads_back(store: ComparisonStore) -> None:
    answer = comparison(0.7, 0.45, "artifact", device="d1", device_model="Pixel 9 äß 🙂", precision="int8", taken=NOON)
    assert store.add(answer, "f", "key")
    assert store.get(answer.id) == answer
    with pytest.raises(RequestError) as error:
        store.get("0" * 32)
    assert (error.value.status, error.value.code) == (404, "no-such-comparison")


def test_one_key_is_one_comparison(store: ComparisonStore) -> None:
    first = comparison()
    assert store.earlier("key", "f") is None
    assert store.add(first, "f", "key")
    assert not store.add(comparison(), "f", "key")
    assert store.earlier("key", "f") == first
    with pytest.raises(RequestError) as error:
        store.earlier("key", "another")
    assert (error.value.status, error.value.code) == (422, "key-reused")
    assert store.add(comparison(), "f", None)
    assert store.add(comparison(), "f", None)


def test_what_comes_at_once_is_stored_together_but_for_what_is_there(
    store: ComparisonStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, release, transactions = threading.Event(), threading.Event(), []
    writing = store.database.writing

    def slow() -> AbstractContextManager[Session]:
        transactions.append(1)
        begun.set()
        assert release.wait(10)
        return writing()

    monkeypatch.setattr(store.database, "writing", slow)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(store.add, comparison(), "f", "first")
        assert begun.wait(10)
        rest = [threads.submit(store.add, comparison(), "f", key) for key in ("a", "b", None, None)]
        while len(store._inserts._waiting) < len(rest):
            time.sleep(0.01)
        release.set()
        assert first.result()
        assert all(one.result() for one in rest)
        assert len(transactions) == 2
        release.clear()
        begun.clear()
        rest = [threads.submit(store.add, comparison(), "f", "c")]
        assert begun.wait(10)
        rest += [threads.submit(store.add, comparison(), "f", key) for key in ("a", "d")]
        while len(store._inserts._waiting) < 2:
            time.sleep(0.01)
        release.set()
        assert [one.result() for one in rest] == [True, False, True]


def test_pages_are_newest_first_whole_and_without_repeats(store: ComparisonStore) -> None:
    stored = [comparison(created=NOON + (i // 3) * HOUR) for i in range(10)]  # times repeat: the id decides
    for answer in stored:
        store.add(answer, "f", None)
    seen, cursor, pages = [], None, 0
    while True:
        items, cursor = store.page(Filters(), 3, cursor)
        seen += items
        pages += 1
        store.add(comparison(created=NOON + 90 * HOUR), "f", None)  # what comes meanwhile shifts nothing
        if cursor is None:
            break
    assert pages == 4
    assert seen == sorted(stored, key=lambda answer: (answer.created, answer.id), reverse=True)


@pytest.mark.parametrize(
    "cursor", ["", "x", "ä", "bm9vbg==", "MjAyNi0wNS0wNFQxMjowMDowMCB4eA==", "MDAwMS0wMS0wMVQwMDowMDowMCsxNDowMCAwMA=="]
)
def test_other_cursors_are_refused(store: ComparisonStore, cursor: str) -> None:
    with pytest.raises(RequestError) as error:
        store.page(Filters(), 3, cursor)
    assert (error.value.status, error.value.code) == (400, "bad-cursor")


def test_filters(store: ComparisonStore) -> None:
    other = "a" * 64
    for answer in (
        comparison(0.7, 0.7, "same", NOON, device="d1"),
        comparison(0.7, 0.3, "model", NOON + HOUR, device="d2"),
        comparison(0.7, 0.45, "artifact", NOON + 2 * HOUR, device="d1", artifact_sha256=other),
    ):
        store.add(answer, "f", None)

    def hours(**wanted: object) -> list[int]:
        items, _ = store.page(Filters(**wanted), 10)  # type: ignore[arg-type]
        return sorted((item.created - NOON) // HOUR for item in items)

    assert hours() == [0, 1, 2]
    assert hours(cause="model") == [1]
    assert hours(device="d1") == [0, 2]
    assert hours(artifact_sha256=other) == [2]
    assert hours(agrees=True) == [0]
    assert hours(agrees=False) == [1, 2]
    assert hours(since=NOON + HOUR) == [1, 2]
    assert hours(until=NOON + HOUR) == [0]
    assert hours(since=(NOON + HOUR).astimezone(timezone(timedelta(hours=-7))), until=NOON + 2 * HOUR) == [1]
    assert hours(model="tiny") == hours(model="tiny/1.0.0") == [0, 1, 2]
    assert hours(model="tiny/2.0.0") == hours(model="other") == []
    assert hours(device="d1", cause="same") == [0]
    assert hours(since=datetime(1, 1, 1, tzinfo=timezone.utc)) == [0, 1, 2]


def test_all_goes_beyond_a_page(store: ComparisonStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dermport.server.storage.comparisons.BATCH", 2)
    for _ in range(5):
        store.add(comparison(), "f", None)
    assert len({answer.id for answer in store.all(Filters())}) == 5


def test_deleting(store: ComparisonStore) -> None:
    old, new = comparison(created=NOON - HOUR), comparison(created=NOON)
    for answer in (old, new):
        store.add(answer, "f", answer.id)
    assert store.ids_before(NOON) == (old.id,)
    assert store.known((old.id, new.id, "0" * 32)) == {old.id, new.id}
    assert store.delete((old.id, "0" * 32)) == 1
    assert store.known((old.id, new.id)) == {new.id}
    assert store.add(comparison(), "another", old.id), "a deleted comparison's key is free again"
    assert store.delete([f"{i:032x}" for i in range(BATCH)]) == 0


def test_latest_votes_leave_changed_photos_out(store: ComparisonStore) -> None:
    for hour, (server, cause) in enumerate([(0.3, "model"), (0.7, "same"), (0.3, "photo-changed"), (0.3, "runtime")]):
        store.add(comparison(0.7, server, cause, NOON + hour * HOUR), "f", None)  # type: ignore[arg-type]
    store.add(comparison(artifact_sha256="a" * 64), "f", None)
    assert store.latest_votes(PHONE_FILE, 2) == (Vote("", False), Vote("", True))
    assert [vote.agrees for vote in store.latest_votes(PHONE_FILE, 9)] == [False, True, False]
    assert len(store.latest_votes(PHONE_FILE, 9, since=NOON + HOUR)) == 2
    assert store.latest_votes("b" * 64, 9) == ()


def test_a_vote_is_the_api_keys_before_it_is_the_pseudonyms(store: ComparisonStore) -> None:
    store.add(comparison(device="a", created=NOON), "f", None)
    store.add(comparison(device="b", created=NOON + HOUR), "f", None, sender="0" * 12)
    assert [vote.device for vote in store.latest_votes(PHONE_FILE, 9)] == ["0" * 12, "a"]
