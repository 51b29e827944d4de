"""Headers, CORS, and who is let in where there are no keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from dermport.server.storage.database import Database
from tests.server.security.made import guarded_app, sqlite

APP = "https://app.example"


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Database]:
    opened = sqlite(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def local(base: Database) -> FlaskClient:
    return guarded_app(base, origins=(APP,))[0].test_client()


@pytest.fixture
def keyed(base: Database) -> FlaskClient:
    return guarded_app(base, keys=True, origins=(APP,))[0].test_client()


@pytest.mark.parametrize("path", ["/free", "/nowhere", "/photo"])
def test_every_answer_has_strict_headers(keyed: FlaskClient, path: str) -> None:
    headers = keyed.get(path).headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_a_view_keeps_the_headers_that_it_set(keyed: FlaskClient) -> None:
    assert keyed.get("/file").headers["Cache-Control"] == "max-age=60"


def test_a_listed_origin_may_read_the_answer(keyed: FlaskClient) -> None:
    response = keyed.get("/file", headers={"Origin": APP})
    assert response.headers["Access-Control-Allow-Origin"] == APP
    exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"X-Request-Id", "ETag", "Retry-After", "X-Dermport-Sha256"} <= set(exposed)
    assert "Origin" in response.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in response.headers
    refused = keyed.post("/photo", headers={"Origin": APP})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == APP  # so that a page can say what was wrong


@pytest.mark.parametrize("origin", ["https://evil.example", APP + ".evil", "http://app.example", APP.upper(), "null"])
def test_other_origins_may_not(keyed: FlaskClient, origin: str) -> None:
    response = keyed.get("/file", headers={"Origin": origin})
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
    assert "Origin" in response.headers["Vary"]


def test_preflight_needs_no_key(keyed: FlaskClient) -> None:
    asked = {"Origin": APP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    response = keyed.options("/photo", headers=asked)
    assert response.status_code == 200
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    allowed = response.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "x-api-key", "x-dermport-prep", "idempotency-key"} <= set(allowed)
    refused = keyed.options("/photo", headers={**asked, "Origin": "https://evil.example"})
    assert "Access-Control-Allow-Methods" not in refused.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "127.0.0.1:8080"},
        {"Host": "[::1]:8080"},
        {"Host": "localhost:8080", "Origin": "http://localhost:8080"},
        {"Origin": APP},
    ],
    ids=str,
)
def test_without_keys_this_machine_may_do_everything(local: FlaskClient, headers: dict[str, str]) -> None:
    assert local.post("/photo", headers=headers).status_code == 200
    assert local.get("/forgotten", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},  # DNS rebinding
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "192.0.2.1:8080"},
        {"Origin": "https://evil.example"},  # a page in this machine's browser
        {"Origin": "null"},
        {"X-Forwarded-For": "192.0.2.1"},  # a proxy in front
        {"Forwarded": "for=192.0.2.1"},
    ],
    ids=str,
)
def test_without_keys_strangers_are_refused(local: FlaskClient, headers: dict[str, str]) -> None:
    response = local.post("/photo", headers=headers)
    assert (response.status_code, response.json["code"]) == (403, "not-local")  # type: ignore[index]
