"""The express lane in a running server: clients see no difference, and nothing gets lost where it ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from dermport.bundle.store import Bundle, write_manifest
from tests.server.fakes import golden_photo
from tests.server.live import DERMPORT, Server, serving

pytestmark = pytest.mark.xdist_group("exports")
OPTIONS = ("--runtime", "litert", "--workers", "2")
JPEG = {"Content-Type": "image/jpeg"}


class Client:
    """One connection that is kept open, as a phone app's is."""

    def __init__(self, server: Server) -> None:
        address = urlsplit(server.url)
        self.http = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
        self.own: socket.socket | None = None

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """Send a request, and read its answer into ``.data``; the connection must not have been closed meanwhile."""
        self.http.request(method, path, body, headers or {})
        self.own = self.own or self.http.sock
        assert self.http.sock is self.own, "the connection was closed"
        response = self.http.getresponse()
        response.data = response.read()  # type: ignore[attr-defined]
        return response

    def predict(self, photo: bytes, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
        return self.ask("POST", "/v1/predict", photo, headers or JPEG)


def _lent(server: Server) -> int:
    found = re.search(r"^dermport_connections_lent (\d+)\.0$", httpx.get(f"{server.url}/metrics").text, re.MULTILINE)
    assert found
    return int(found[1])


def _until(condition: Any) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


@contextmanager
def _express(server: Server, photo: bytes, headers: dict[str, str] | None = None) -> Iterator[Client]:
    """A connection that a worker answers by itself."""
    client = Client(server)
    before = _lent(server)
    for _ in range(2):
        assert client.predict(photo, headers).status == 200
    _until(lambda: _lent(server) == before + 1)
    yield client
    client.http.close()


@pytest.fixture
def photo(shared_exports: Bundle) -> bytes:
    return golden_photo(shared_exports).read_bytes()


@pytest.fixture(scope="module")
def server(shared_exports: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(shared_exports.path, tmp_path_factory.mktemp("state"), *OPTIONS) as running:
        yield running


def _told(response: http.client.HTTPResponse) -> dict[str, Any]:
    """Return an answer without what differs from request to request."""
    answer: dict[str, Any] = json.loads(response.data)  # type: ignore[attr-defined]
    return {name: value for name, value in answer.items() if name not in ("milliseconds", "request_id")}


def test_a_client_sees_no_difference(server: Server, photo: bytes) -> None:
    with _express(server, photo) as client:
        express = client.predict(photo)
        ordinary = Client(server).predict(photo)
        assert _told(express) == _told(ordinary)
        varying = ("Date", "X-Request-Id", "Content-Length")
        constant = [{pair for pair in one.getheaders() if pair[0] not in varying} for one in (express, ordinary)]
        assert constant[0] == constant[1]
        assert {name for name, _ in express.getheaders()} == {name for name, _ in ordinary.getheaders()}
        assert express.getheader("X-Request-Id") == json.loads(express.data)["request_id"]  # type: ignore[attr-defined]
        assert _lent(server) == 1


def test_a_request_id_is_echoed(server: Server, photo: bytes) -> None:
    with _express(server, photo) as client:
        assert client.predict(photo, JPEG | {"X-Request-ID": "mine"}).getheader("X-Request-Id") == "mine"
        assert client.predict(photo, JPEG | {"X-Request-ID": "not mine!"}).getheader("X-Request-Id") != "not mine!"


def test_every_request_is_logged_and_counted(server: Server, photo: bytes) -> None:
    def counted() -> float:
        text = httpx.get(f"{server.url}/metrics").text
        found = re.search(
            r'^dermport_requests_total\{method="POST",route="/v1/predict",status="200"\} (\S+)$', text, re.M
        )
        return float(found[1]) if found else 0.0

    before, lines = counted(), server.said().count("POST /v1/predict 200")
    with _express(server, photo) as client:
        ids = [client.predict(photo).getheader("X-Request-Id") for _ in range(10)]
    _until(lambda: counted() == before + 12)
    assert server.said().count("POST /v1/predict 200") == lines + 12
    assert all(f"request_id={one}" in server.said() for one in ids)


def test_what_is_out_of_the_ordinary_takes_the_whole_way(server: Server, photo: bytes) -> None:
    with _express(server, photo) as client:
        assert client.predict(b"no photo").status == 415
        assert client.predict(photo[: len(photo) // 2]).status == 422
        assert client.ask("GET", "/healthz").status == 200
        assert client.ask("POST", "/v1/predict?decoding=draft", photo, JPEG).status == 200
        assert client.ask("GET", "/nowhere").status == 404
        assert client.predict(photo).status == 200


def test_pipelined_requests_are_answered_in_order(server: Server, photo: bytes) -> None:
    with _express(server, photo) as client:
        assert client.own is not None
        head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
        one = [head + b"X-Request-ID: r%d\r\nContent-Length: %d\r\n\r\n" % (n, len(photo)) + photo for n in range(6)]
        client.own.sendall(b"".join(one))
        ids = []
        stream = client.own.makefile("rb")
        for _ in one:
            assert stream.readline().startswith(b"HTTP/1.1 200")
            fields = dict(line.strip().split(b": ", 1) for line in iter(stream.readline, b"\r\n"))
            ids.append(fields[b"X-Request-Id"])
            stream.read(int(fields[b"Content-Length"]))
        assert ids == [b"r%d" % number for number in range(6)]


def test_a_revoked_key_ends_soon(shared_exports: Bundle, tmp_path: Path, photo: bytes) -> None:
    with serving(shared_exports.path, tmp_path / "state", *OPTIONS, "--keys") as server:
        made = json.loads(_dermport("keys", "create", "test", "--state", str(tmp_path / "state"), "--json"))
        headers = JPEG | {"X-API-Key": made["key"]}
        client = Client(server)
        for _ in range(5):
            assert client.predict(photo, headers).status == 200
        _dermport("keys", "revoke", made["id"], "--state", str(tmp_path / "state"))
        end = time.monotonic() + 6
        while (status := client.predict(photo, headers).status) == 200:
            assert time.monotonic() < end, "the key still opens"
            time.sleep(0.05)
        assert status == 401


def _dermport(*words: str) -> str:
    return subprocess.run([*DERMPORT, *words], capture_output=True, text=True, check=True).stdout


def test_a_new_model_answers_on_the_same_connections(shared_exports: Bundle, tmp_path: Path, photo: bytes) -> None:
    models = tmp_path / "models"
    shutil.copytree(shared_exports.path, models / "one")
    shutil.copytree(shared_exports.path, models / "two")
    write_manifest(models / "two", shared_exports.manifest.model_copy(update={"version": "2.0.0"}))
    with serving(models, tmp_path / "state", *OPTIONS) as server:
        clients = [Client(server) for _ in range(4)]
        seen: list[list[str]] = [[] for _ in clients]
        stop = threading.Event()

        def ask(index: int) -> None:
            while not stop.is_set():
                response = clients[index].predict(photo)
                assert response.status == 200
                seen[index].append(_told(response)["model"]["version"])

        threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(clients))]
        for thread in threads:
            thread.start()
        for version in ("2.0.0", "1.0.0", "2.0.0"):
            _until(lambda: _lent(server) == len(clients))
            wish = {"name": "tiny", "version": version}
            assert httpx.post(f"{server.url}/v1/admin/models/activate", json=wish, timeout=60).status_code == 200
            reached = [len(one) for one in seen]
            _until(lambda: all(len(one) > count + 5 for one, count in zip(seen, reached, strict=True)))  # noqa: B023
        stop.set()
        for thread in threads:
            thread.join(30)
        for one in seen:
            changes = [version for index, version in enumerate(one) if index == 0 or one[index - 1] != version]
            assert changes == ["1.0.0", "2.0.0", "1.0.0", "2.0.0"]


def test_a_killed_worker_costs_at_most_an_answer_that_asks_to_come_again(
    shared_exports: Bundle, tmp_path: Path, photo: bytes
) -> None:
    with serving(shared_exports.path, tmp_path / "state", *OPTIONS) as server:
        statuses: list[int] = []
        for _ in range(3):
            with _express(server, photo), _express(server, photo) as client:
                for pid in server.workers():
                    os.kill(pid, signal.SIGKILL)
                client.own = None
                # The 503 may have come, and the connection been closed, before the photo is sent.
                with suppress(OSError, http.client.HTTPException):
                    response = client.predict(photo)
                    statuses.append(response.status)
                    assert response.status == 200 or response.getheader("Retry-After") == "1"
            _until(lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
            _until(lambda: _lent(server) == 0)
        assert set(statuses) <= {200, 503}
        assert httpx.post(f"{server.url}/v1/predict", content=photo, headers=JPEG, timeout=30).status_code == 200


def test_a_server_that_is_told_to_stop_answers_what_it_has(
    shared_exports: Bundle, tmp_path: Path, photo: bytes
) -> None:
    with serving(shared_exports.path, tmp_path / "state", *OPTIONS) as server, _express(server, photo) as client:
        assert client.own is not None
        head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
        request = head + b"Content-Length: %d\r\n\r\n" % len(photo) + photo
        client.own.sendall(request[:-10])
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        client.own.sendall(request[-10:])
        assert client.own.makefile("rb").readline().startswith(b"HTTP/1.1 200")
        client.http.close()
        assert server.process.wait(20) == 0
