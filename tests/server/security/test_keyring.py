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
def keys(tmp_path: Path) -> Iterator[Troubled]:
    database = sqlite(tmp_path)
    yield Troubled(database)
    database.close()


def test_keys_are_read_again_once_they_are_too_old(keys: Troubled, clock: Clock) -> None:
    token = add_key(keys, "predict")
    ring = KeyRing(keys, clock)
    keys.revoke([token.id], utc_now())  # by another process
    clock.time += 1.9
    assert ring.find(token.id, max_age=2.0) is not None
    clock.time += 0.2
    found = ring.find(token.id, max_age=2.0)
    assert found is not None
    assert found.revoked_at is not None
    assert keys.reads == 2


def test_a_new_key_is_found_by_who_asks_for_fresher_ones(keys: Troubled, clock: Clock) -> None:
    ring = KeyRing(keys, clock)
    token = add_key(keys, "predict")
    clock.time += 0.3
    assert ring.find(token.id, max_age=2.0) is None
    assert ring.find(token.id, max_age=0.2) is not None


def test_a_key_that_is_revoked_here_is_gone_at_once(keys: Troubled, clock: Clock) -> None:
    token = add_key(keys, "predict")
    ring = KeyRing(keys, clock)
    assert ring.revoke(token.id)
    assert ring.find(token.id, max_age=2.0) is None
    assert keys.all()[0].revoked_at is not None
    assert not ring.revoke(token.id)


def test_a_revocation_that_cannot_be_stored_is_none(
    keys: Troubled, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: ApiKeys, ids: object, time: datetime) -> int:
        raise StorageError("Busy.", reason="locked")

    token = add_key(keys, "predict")
    ring = KeyRing(keys, clock)
    monkeypatch.setattr(Troubled, "revoke", fail)
    with pytest.raises(StorageError):
        ring.revoke(token.id)
    assert ring.find(token.id, max_age=2.0) is not None


def test_a_failing_database_leaves_known_keys_in_force(keys: Troubled, clock: Clock) -> None:
    token = add_key(keys, "predict")
    ring = KeyRing(keys, clock)
    keys.fails = True
    for _ in range(3):
        clock.time += 10
        assert ring.find(token.id, max_age=2.0) is not None
    keys.fails = False
    keys.revoke([token.id], utc_now())
    clock.time += 10
    found = ring.find(token.id, max_age=2.0)
    assert found is not None
    assert found.revoked_at is not None


def test_a_hanging_database_is_waited_for_once_and_not_long(keys: Troubled, clock: Clock) -> None:
    token = add_key(keys, "predict")
    ring = KeyRing(keys, clock)
    keys.answers.clear()
    clock.time += 10
    began = time.monotonic()
    assert ring.find(token.id, max_age=2.0) is not None
    assert 0.4 < time.monotonic() - began < 2
    clock.time += 1
    began = time.monotonic()
    for _ in range(100):
        assert ring.find(token.id, max_age=2.0) is not None
    assert time.monotonic() - began < 0.3
    keys.answers.set()
    ring.close()


def test_uses_are_stored_off_the_request_and_once_a_minute(keys: Troubled, clock: Clock) -> None:
    token = add_key(keys, "predict")
    ring = KeyRing(keys, clock)
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


def test_uses_that_could_not_be_stored_are_stored_later(keys: Troubled, clock: Clock) -> None:
    token = add_key(keys, "predict")
    ring = KeyRing(keys, clock)
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
