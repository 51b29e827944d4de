"""The table of API keys, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import IntegrityError

from dermport.server.storage.api_keys import ApiKey, ApiKeys
from dermport.server.storage.database import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5)))


def _key(key_id: str, **options: object) -> ApiKey:
    return ApiKey(key_id, f"key {key_id}", "0" * 64, frozenset({"predict", "compare"}), NOON, **options)  # type: ignore[arg-type]


def test_a_key_comes_back_as_it_was(database: Database) -> None:
    keys = ApiKeys(database)
    key = _key("a" * 12, expires_at=NOON + timedelta(days=1))
    keys.add(key)
    [stored] = keys.all()
    assert stored == key  # times are equal in any zone
    assert stored.created_at.utcoffset() == timedelta(0)
    with pytest.raises(IntegrityError):
        keys.add(key)


def test_only_keys_that_were_not_revoked_are(database: Database) -> None:
    keys = ApiKeys(database)
    for key_id in ("one", "two", "three"):
        keys.add(_key(key_id))
    assert keys.revoke(["one", "two", "none"], NOON) == 2
    assert keys.revoke(["one", "three"], NOON + timedelta(days=1)) == 1
    revoked = {key.id: key.revoked_at for key in keys.all()}
    assert revoked == {"one": NOON, "two": NOON, "three": NOON + timedelta(days=1)}


def test_uses_of_keys_that_are_gone_are_passed_over(database: Database) -> None:
    keys = ApiKeys(database)
    keys.add(_key("one"))
    keys.mark_used({"one": NOON, "gone": NOON})
    assert [key.last_used_at for key in keys.all()] == [NOON]


def test_validity_ends_with_expiry_and_revocation() -> None:
    key = _key("one", expires_at=NOON)
    assert key.valid_at(NOON - timedelta(seconds=1))
    assert not key.valid_at(NOON)
    assert not _key("one", revoked_at=NOON).valid_at(NOON - timedelta(days=1))
