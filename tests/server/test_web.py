"""The web app's files: types, caching, policies, and nothing from outside their folder."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dermport.bundle.store import Bundle
from dermport.server.config import AccessConfig
from dermport.server.security.headers import PAGE_POLICY
from dermport.server.web import TYPES
from tests.server.fakes import recall_app

FILES = {
    "index.html": b"<!doctype html><title>app</title>",
    "app/main.js": b"export const one = 1;\n" * 400,
    "dashboard/index.html": b"<!doctype html><title>dashboard</title>",
    "engine/small.wasm": b"\0asm\1\0\0\0",
    "notes.md": b"# not for browsers",
    ".npmrc": b"secret",
    ".hidden/main.js": b"hidden",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "dist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "dist"


@pytest.fixture
def app(tiny_bundle: Bundle, folder: Path) -> Iterator[Flask]:
    app = recall_app(tiny_bundle, web=folder)
    yield app
    app.extensions["dermport"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize(
    ("address", "name", "kind"),
    [
        ("/app/", "index.html", "text/html; charset=utf-8"),
        ("/app/index.html", "index.html", "text/html; charset=utf-8"),
        ("/app/app/main.js", "app/main.js", "text/javascript; charset=utf-8"),
        ("/app/engine/small.wasm", "engine/small.wasm", "application/wasm"),
        ("/dashboard/", "dashboard/index.html", "text/html; charset=utf-8"),
    ],
)
def test_files_come_whole_with_their_type_and_policy(client: FlaskClient, address: str, name: str, kind: str) -> None:
    response = client.get(address)
    assert (response.status_code, response.data) == (200, FILES[name])
    assert response.headers["Content-Type"] == kind
    assert response.headers["Content-Security-Policy"] == PAGE_POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_camera_is_for_the_apps_page_alone(client: FlaskClient) -> None:
    policies = {path: client.get(path).headers["Permissions-Policy"] for path in ("/app/", "/app/index.html")}
    assert all(policy.startswith("camera=(self), ") for policy in policies.values())
    for path in ("/app/app/main.js", "/dashboard/", "/docs", "/healthz", "/app/nothing.html"):
        assert client.get(path).headers["Permissions-Policy"].startswith("camera=(), "), path


@pytest.mark.parametrize(("address", "to"), [("/", "/app/"), ("/app", "/app/"), ("/dashboard", "/dashboard/")])
def test_the_front_leads_to_the_app_of_this_server_alone(client: FlaskClient, address: str, to: str) -> None:
    response = client.get(address)
    assert (response.status_code, response.headers["Location"]) == (302, to)


def test_a_file_is_asked_for_anew_and_costs_nothing_while_it_is_the_same(client: FlaskClient, folder: Path) -> None:
    first = client.get("/app/app/main.js")
    assert first.headers["Cache-Control"] == "private, no-cache"
    same = client.get("/app/app/main.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    (folder / "app" / "main.js").write_bytes(b"export const two = 2;")
    other = client.get("/app/app/main.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (other.status_code, other.data) == (200, b"export const two = 2;")


@pytest.mark.parametrize(("asked", "got"), [("gzip", "gzip"), ("gzip, deflate, br", "br"), ("br;q=0", None)])
def test_what_was_packed_travels_packed(client: FlaskClient, folder: Path, asked: str, got: str | None) -> None:
    (folder / "app" / "main.js.gz").write_bytes(gzip.compress(FILES["app/main.js"]))
    (folder / "app" / "main.js.br").write_bytes(b"as if packed")
    response = client.get("/app/app/main.js", headers={"Accept-Encoding": asked})
    assert response.headers.get("Content-Encoding") == got
    assert (response.mimetype, response.headers["Vary"]) == ("text/javascript", "Accept-Encoding")
    contents = {"gzip": gzip.compress(FILES["app/main.js"]), "br": b"as if packed", None: FILES["app/main.js"]}
    assert response.data[10:] == contents[got][10:]  # a gzip file begins with the time
    tags = {client.get("/app/app/main.js", headers={"Accept-Encoding": way}).headers["ETag"] for way in ("br", "gzip")}
    assert len(tags) == 2
    assert client.get("/app/app/main.js.gz").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        *("nothing.js", "app", "app/", "notes.md", ".npmrc", ".hidden/main.js"),
        *("../outside.js", "app/../../outside.js", "%2e%2e/outside.js", "..%2foutside.js", "..%5coutside.js"),
        *("/etc/passwd", "%2fetc/passwd", "index.html%00.js", "C:/index.html", "./index.html", "link.js", "a" * 5000),
    ],
)
def test_no_path_leads_elsewhere(client: FlaskClient, folder: Path, path: str) -> None:
    (folder.parent / "outside.js").write_text("of nobody")
    (folder / "link.js").symlink_to(folder.parent / "outside.js")
    response = client.get(f"/app/{path}")
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")
    assert b"of nobody" not in response.data


def test_what_cannot_be_read_is_refused_in_words(client: FlaskClient, folder: Path) -> None:
    (folder / "pipe.js").unlink(missing_ok=True)
    os.mkfifo(folder / "pipe.js")
    assert client.get("/app/pipe.js").status_code == 404  # and nobody waits for its other end


def test_the_page_needs_no_key_and_shows_nothing_else(tiny_bundle: Bundle, folder: Path) -> None:
    app = recall_app(tiny_bundle, web=folder, access=AccessConfig(keys=True, rate=1))
    with app.test_client() as client:
        assert {client.get("/app/app/main.js").status_code for _ in range(5)} == {200}  # the rate is for photos
        assert client.get("/v1/models").status_code == 401
    app.extensions["dermport"].close()


def test_without_a_built_app_it_is_said_how_to_build_one(tiny_bundle: Bundle) -> None:
    app = recall_app(tiny_bundle)
    response = app.test_client().get("/app/")
    assert (response.status_code, response.json["code"]) == (404, "web-not-built")
    assert "make web" in response.json["remedy"]
    app.extensions["dermport"].close()


def test_every_source_file_of_the_app_has_a_type() -> None:
    source = Path(__file__).parents[2] / "dermport" / "mobile_stub" / "web"
    endings = {path.suffix for part in ("app", "engine", "dashboard") for path in (source / part).rglob("*.*")}
    assert endings <= {*TYPES, ".md"}


def test_a_request_without_a_path_is_led_to_the_app_and_to_no_other_host(tiny_bundle: Bundle) -> None:
    app = recall_app(tiny_bundle)
    answer = app.test_client().get("/", environ_overrides={"PATH_INFO": "", "HTTP_HOST": "localhost"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/app/")
    app.extensions["dermport"].close()
