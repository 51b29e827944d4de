"""`dermport keys`: made once, listed without secrets, revoked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dermport.cli.main import build_app
from dermport.errors import UsageError
from dermport.server.config import StorageConfig
from dermport.server.security.tokens import parse_token
from dermport.server.storage.api_keys import ApiKey, ApiKeys
from dermport.server.storage.database import open_database


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def _run(state: Path, *arguments: str) -> str:
    done = CliRunner().invoke(build_app(), ["keys", *arguments, "--state", str(state)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _json(state: Path, *arguments: str) -> Any:
    return json.loads(_run(state, *arguments, "--json"))


def _stored(state: Path) -> dict[str, ApiKey]:
    database = open_database(StorageConfig(state))
    keys = {key.name: key for key in ApiKeys(database).all()}
    database.close()
    return keys


def test_a_key_is_shown_once_and_stored_as_its_hash(state: Path) -> None:
    token = parse_token(_run(state, "create", "Anna's phone").strip())
    assert token is not None
    stored = _stored(state)["Anna's phone"]
    assert (stored.id, stored.secret_sha256) == (token.id, token.secret_sha256)
    assert stored.scopes == {"predict", "compare"}
    assert stored.expires_at is None
    listed = _run(state, "list", "--json")
    assert token.id in listed
    assert token.secret not in listed
    assert token.secret.encode() not in b"".join(path.read_bytes() for path in state.iterdir())


def test_scopes_and_expiry(state: Path) -> None:
    made = _json(state, "create", "prometheus", "--scope", "admin", "--scope", "predict", "--expires", "30d")
    assert made["scopes"] == ["admin", "predict"]
    stored = _stored(state)["prometheus"]
    assert stored.expires_at is not None
    assert (stored.expires_at - stored.created_at).days == 30
    assert parse_token(made["key"]) is not None


def test_keys_are_revoked_all_or_none(state: Path) -> None:
    ids = [_json(state, "create", name)["id"] for name in ("one", "two")]
    with pytest.raises(UsageError, match="0123456789ab"):
        _run(state, "revoke", ids[0], "0123456789ab")
    assert [key["revoked_at"] for key in _json(state, "list")["keys"]] == [None, None]
    _run(state, "revoke", *ids)
    assert all(key["revoked_at"] for key in _json(state, "list")["keys"])
    _run(state, "revoke", ids[0])  # again: nothing is left to do


@pytest.mark.parametrize(
    "options", [("x", "--expires", "soon"), ("x", "--expires", "0d"), ("",), ("a\nb",), ("n" * 65,)]
)
def test_what_cannot_be_meant_makes_no_key(state: Path, options: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        _run(state, "create", *options)
    assert not state.exists() or not _stored(state)


def test_people_see_a_table(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run(state, "create", "[b]Anna[/b]", "--expires", "12h")
    done = CliRunner().invoke(build_app(), ["keys", "list", "--state", str(state)])
    shown = capsys.readouterr().err + done.output
    assert "[b]Anna[/b]" in shown
    assert "until" in shown
    assert "never" in shown
    assert max(map(len, shown.splitlines())) <= 80
