"""Keys at the door: scopes, expiry, revocation, challenges."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dermport.server.security import access as module
from dermport.server.security.tokens import new_token
from dermport.server.storage.api_keys import ApiKeys
from dermport.server.storage.base import utc_now
from dermport.server.storage.database import Database
from tests.server.security.made import add_key, bearer, guarded_app, sqlite


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Database]:
    opened = sqlite(tmp_path)
    yield opened
    opened.close()


def test_both_headers_open_what_the_scope_says(base: Database) -> None:
    app, _ = guarded_app(base, keys=True)
    token = add_key(ApiKeys(base), "predict")
    client = app.test_client()
    for headers in (bearer(token), {"X-Api-Key": str(token)}, {"Authorization": f"bearer  {token}"}):
        assert client.post("/photo", data=b"abc", headers=headers).text == "3 bytes"
    refused = client.get("/figures", headers=bearer(token))
    assert (refused.status_code, refused.json["code"]) == (403, "key-scope")  # type: ignore[index]
    assert "insufficient_scope" in refused.headers["WWW-Authenticate"]
    assert client.get("/free").text == "free"


def test_a_view_that_nobody_marked_is_the_admins(base: Database) -> None:
    app, _ = guarded_app(base, keys=True)
    client = app.test_client()
    assert client.get("/forgotten").status_code == 401
    phone, admin = add_key(ApiKeys(base), "predict", "compare"), add_key(ApiKeys(base), "admin")
    assert client.get("/forgotten", headers=bearer(phone)).status_code == 403
    assert client.get("/forgotten", headers=bearer(admin)).status_code == 200


def _bad_keys(base: Database) -> dict[str, str]:
    keys = ApiKeys(base)
    good, expired, revoked = (add_key(keys, "predict", hours=hours) for hours in (None, -1, None))
    keys.revoke([revoked.id], utc_now())
    return {
        "unknown": str(new_token()),
        "wrong secret": f"dp_{good.id}_{new_token().secret}",
        "expired": str(expired),
        "revoked": str(revoked),
        "no form": "hunter2",
        "not ASCII": "dp_ÿ",
        "huge": "dp_" + "a" * 10_000,
    }


def test_every_bad_key_is_refused_in_the_same_words(base: Database) -> None:
    app, _ = guarded_app(base, keys=True)
    answers = set()
    for name, sent in _bad_keys(base).items():
        response = app.test_client().post("/photo", headers=bearer(sent) | {"X-Request-Id": "one"})
        assert response.status_code == 401, name
        assert "invalid_token" in response.headers["WWW-Authenticate"]
        answers.add(response.text)
    assert len(answers) == 1
    nobody = app.test_client().post("/photo")
    assert (nobody.status_code, nobody.json["code"]) == (401, "no-key")  # type: ignore[index]
    assert nobody.headers["WWW-Authenticate"] == 'Bearer realm="dermport"'


def test_unknown_and_wrong_keys_are_compared_alike(base: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []
    real = module.hmac.compare_digest

    def watch(one: str, other: str) -> bool:
        compared.append((one, other))
        return bool(real(one, other))

    monkeypatch.setattr(module.hmac, "compare_digest", watch)
    app, _ = guarded_app(base, keys=True)
    counts = {}
    for name, sent in _bad_keys(base).items():
        compared.clear()
        app.test_client().post("/photo", headers=bearer(sent))
        counts[name] = len(compared)
        assert all(len(one) == len(other) == 64 for one, other in compared)
    assert set(counts.values()) == {1}


def test_the_body_of_a_refused_request_is_not_read(base: Database) -> None:
    class Untouched(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            raise AssertionError("the body was read")

    app, _ = guarded_app(base, keys=True)
    environ = {"wsgi.input": io.BufferedReader(Untouched()), "CONTENT_LENGTH": "1000"}
    assert app.test_client().post("/photo", environ_overrides=environ).status_code == 401


def test_a_revoked_key_ends_with_the_next_request(base: Database) -> None:
    app, access = guarded_app(base, keys=True)
    token = add_key(ApiKeys(base), "predict")
    assert app.test_client().post("/photo", headers=bearer(token)).status_code == 200
    assert access.revoke(token.id)
    assert app.test_client().post("/photo", headers=bearer(token)).status_code == 401


def test_known_keys_go_on_without_the_database(base: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = guarded_app(base, keys=True)
    token = add_key(ApiKeys(base), "predict")
    client = app.test_client()
    assert client.post("/photo", headers=bearer(token)).status_code == 200
    with base.writing() as session:
        session.connection().exec_driver_sql("DROP TABLE api_keys")
    assert client.post("/photo", headers=bearer(token)).status_code == 200
    assert client.post("/photo", headers=bearer(new_token())).status_code == 401


def test_stored_keys_hold_no_secret(base: Database) -> None:
    token = add_key(ApiKeys(base), "predict")
    [stored] = ApiKeys(base).all()
    assert token.secret not in repr(stored)
    assert stored.secret_sha256 == token.secret_sha256


@pytest.mark.parametrize(
    ("scopes", "opened"),
    [
        ((), ()),
        (("predict",), ("predict",)),
        (("compare",), ("predict", "compare")),
        (("admin",), module.SCOPES),
        (("predict", "admin"), module.SCOPES),
        (("other",), ()),
    ],
)
def test_scopes_include_each_other(scopes: tuple[str, ...], opened: tuple[str, ...]) -> None:
    assert module.opened_by(scopes) == set(opened)


def test_the_admins_key_opens_what_a_phones_does(base: Database) -> None:
    app, _ = guarded_app(base, keys=True)
    keys, client = ApiKeys(base), app.test_client()
    for scope, figures in (("admin", 200), ("compare", 403)):
        token = add_key(keys, scope)
        assert client.post("/photo", data=b"abc", headers=bearer(token)).status_code == 200
        assert client.get("/figures", headers=bearer(token)).status_code == figures
