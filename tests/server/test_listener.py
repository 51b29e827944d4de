"""The listener around an app that does nothing but answer: what is given up, what is finished, what is refused."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from flask import Flask, request

from dermport.errors import UsageError
from dermport.server import channel
from dermport.server import listener as module
from dermport.server.express.express import Answered
from dermport.server.listener import Listener


class _Heard:
    """What the listener tells of requests that did not pass the app."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    def answered(self, answered: Answered) -> None:
        raise AssertionError("there are no workers here")

    def refused(self, status: int) -> None:
        self.statuses.append(status)


@contextmanager
def _running(app: Flask, monkeypatch: pytest.MonkeyPatch, heard: _Heard | None = None) -> Iterator[Listener]:
    monkeypatch.setattr(module.signal, "signal", lambda *_: None)  # only the main thread may set handlers
    listener = Listener(app, "127.0.0.1", 0, threads=4, outside=heard or _Heard())
    thread = threading.Thread(target=listener.run, args=(lambda: None,))
    thread.start()
    try:
        yield listener
    finally:
        listener._stop(15, None)
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: str(len(request.get_data())), methods=["GET", "POST"])
    return app


def _connect(listener: Listener) -> socket.socket:
    address = urlsplit(listener.url)
    return socket.create_connection((address.hostname, address.port), timeout=10)


def _all(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"


def test_a_request_that_trickles_in_is_given_up(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "REQUEST_SECONDS", 0.3)
    heard = _Heard()
    with _running(app, monkeypatch, heard) as listener, _connect(listener) as slow:
        slow.sendall(HEAD)
        began = time.monotonic()

        def trickle() -> None:
            try:
                while time.monotonic() - began < 5:
                    slow.sendall(b"x")
                    time.sleep(0.05)
            except OSError:
                pass

        threading.Thread(target=trickle, daemon=True).start()
        answered = _all(slow)
    assert answered.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answered
    assert heard.statuses == [408]
    assert time.monotonic() - began < 4


def test_what_is_being_answered_is_finished_and_nothing_new_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go = threading.Event(), threading.Event()
    app = Flask(__name__)

    def view() -> str:
        entered.set()
        go.wait(5)
        return "done"

    app.add_url_rule("/", view_func=view)
    with _running(app, monkeypatch) as listener, _connect(listener) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert entered.wait(5)
        listener._stop(15, None)
        _until(lambda: _refused(listener))
        go.set()
        assert _all(connection).endswith(b"done")


def test_it_is_alive_while_it_turns(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with _running(app, monkeypatch) as listener:
        assert listener.is_alive()
        monkeypatch.setattr(module, "_STUCK_SECONDS", -1.0)
        assert not listener.is_alive()


@pytest.mark.parametrize("host", ["256.1.1.1", "no such host"])
def test_what_cannot_be_bound_is_said(app: Flask, host: str) -> None:
    with pytest.raises(UsageError, match="cannot be bound"):
        Listener(app, host, 0, threads=1, outside=_Heard())


def _refused(listener: Listener) -> bool:
    try:
        _connect(listener).close()
    except OSError:
        return True
    return False


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
