"""Keys in memory: how old they may be, and what a database that is slow or gone does to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from dermport.errors import StorageError
from dermport.server.security.keyring import KeyRing
from dermport.server.storage.api_keys import ApiKey, ApiKeys
from dermport.server.storage.base import utc_now
from dermport.server.storage.database import Database
from dermport.server.storage.generations import Generations
from tests.server.security.made import Clock, add_key, sqlite


class Troubled(ApiKeys):
    """Stored keys behind a database that can be made to hang or to fail."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.answers = threading.Event()
        self.answers.set()
        self.fails = False
        self.reads = 0
        self.uses: list[dict[str, datetime]] = []

    def all(self) -> tuple[ApiKey, ...]:
        self.reads += 1
        self._suffer()
        return super().all()

    def mark_used(self, times: Mapping[str, datetime]) -> None:
        self._suffer()
        super().mark_used(times)
        self.uses.append(dict(times))

    def _suffer(self) -> None:
        assert self.answers.wait(10)
        if self.fails:
            raise StorageError("Busy.", reason="locked")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Database]:
    database = sqlite(tmp_path)
    yield database
    database.close()


@pytest.fixture
def keys(base: Database) -> Troubled:
    return Troubled(base)


@pytest.fixture
def ring(base: Database, keys: Troubled, clock: Clock) -> KeyRing:
    generations = Generations(base)
    return KeyRing(keys, lambda: generations.now()["keys"], clock)


def test_what_another_process_does_counts_at_once_and_nothing_is_read_for_nothing(
    base: Database, ring: KeyRing, keys: Troubled
) -> None:
    elsewhere = ApiKeys(base)
    token = add_key(elsewhere, "predict")
    for _ in range(5):
        assert ring.find(token.id) is not None
    elsewhere.revoke([token.id], utc_now())
    for _ in range(5):
        found = ring.find(token.id)
        assert found is not None
        assert found.revoked_at is not None
    assert keys.reads == 3  # at the start, for the new key, and for its end


def test_a_failing_database_leaves_known_keys_in_force(ring: KeyRing, keys: Troubled, clock: Clock) -> None:
    token = add_key(keys, "predict")
    assert ring.find(token.id) is not None
    keys.fails = True
    keys.revoke([token.id], utc_now())
    for _ in range(3):
        found = ring.find(token.id)
        assert found is not None
        assert found.revoked_at is None
    keys.fails = False
    clock.time += 10
    found = ring.find(token.id)
    assert found is not None
    assert found.revoked_at is not None


def test_a_hanging_database_is_waited_for_once_and_not_long(ring: KeyRing, keys: Troubled) -> None:
    token = add_key(keys, "predict")
    assert ring.find(token.id) is not None
    add_key(keys, "predict")
    keys.answers.clear()
    began = time.monotonic()
    assert ring.find(token.id) is not None
    assert 0.4 < time.monotonic() - began < 2
    began = time.monotonic()
    for _ in range(100):
        assert ring.find(token.id) is not None
    assert time.monotonic() - began < 0.3
    keys.answers.set()
    ring.close()


def test_uses_are_stored_off_the_request_and_once_a_minute(ring: KeyRing, keys: Troubled, clock: Clock) -> None:
    token = add_key(keys, "predict")
    keys.answers.clear()
    began = time.monotonic()
    ring.used(token.id)
    assert time.monotonic() - began < 0.2
    keys.answers.set()
    for _ in range(50):
        clock.time += 1
        ring.used(token.id)
    ring.close()
    assert 1 <= len(keys.uses) <= 2  # the first as soon as a thread comes to it, the rest at the end
    stored = keys.all()[0].last_used_at
    assert stored is not None
    assert abs((utc_now() - stored).total_seconds()) < 10


def test_uses_that_could_not_be_stored_are_stored_later(ring: KeyRing, keys: Troubled) -> None:
    token = add_key(keys, "predict")
    keys.fails = True
    ring.used(token.id)
    _until(lambda: token.id in ring._used)
    keys.fails = False
    ring.close()
    assert keys.all()[0].last_used_at is not None


def _until(condition: object) -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.005)
    raise AssertionError("it never came true")
