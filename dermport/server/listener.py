"""The production WSGI server (waitress) around the app: bind, say where, serve until told to stop, then drain."""

from __future__ import annotations

import ipaddress
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from flask import Flask
from waitress.server import create_server

from dermport.errors import UsageError
from dermport.server.channel import Channel
from dermport.server.express.express import Answered, Lender
from dermport.server.upload import MAX_BODY

MAX_HEADER = 32 * 1024
MAX_CONNECTIONS = 256
IDLE_SECONDS = 75
DRAIN_SECONDS = 30.0
_STUCK_SECONDS = 15.0
_RECEIVE = 64 * 1024


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Outside(Protocol):
    """Hears of requests that did not pass the app; called by any thread."""

    def answered(self, answered: Answered) -> None:
        """A worker answered one by itself."""
        ...

    def refused(self, status: int) -> None:
        """One was refused with an HTTP status."""
        ...


class Listener:
    """An app bound to a port; it listens from the start and serves in :meth:`run`.

    Args:
        app: The app.
        host: The address to bind.
        port: The port; 0 takes a free one.
        threads: Requests that are read, answered or waiting at the same time.
        outside: Hears of requests that did not pass the app.

    Attributes:
        url: Where it answers.
        sockets: What the loop looks after, by file number.
        draining: Set once the server was told to stop.

    Raises:
        UsageError: The address cannot be bound.
    """

    def __init__(self, app: Flask, host: str, port: int, threads: int, outside: Outside) -> None:
        self._server = _serve_on(app, _bind(host, port), threads)
        self._server.loop = self
        self._server.refused = outside.refused
        self.answered = outside.answered
        self.sockets: dict[int, Any] = self._server._map
        self.draining = threading.Event()
        self._turned = time.monotonic()
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.effective_port}"

    def run(self, announce: Callable[[], None], stopping: Callable[[], object] = bool) -> None:
        """Serve until SIGTERM or SIGINT; what is being answered then is still answered, for DRAIN_SECONDS at most.

        Args:
            announce: Called once signals are understood, to tell whoever waits for the server.
            stopping: Called once no new requests are taken.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        announce()
        while not self.draining.is_set():
            self._turn()
        self._drain(stopping)
        self._server.task_dispatcher.shutdown()
        self._server.asyncore.close_all(self.sockets)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self.draining.is_set():
            self.draining.set()
            self._server.pull_trigger()  # else the loop would sleep its second out

    def is_alive(self) -> bool:
        """Whether connections are being looked after."""
        return time.monotonic() - self._turned < _STUCK_SECONDS

    def _turn(self) -> None:
        self._turned = time.monotonic()
        self._server.asyncore.loop(timeout=1, map=self.sockets, use_poll=True, count=1)

    def _drain(self, stopping: Callable[[], object]) -> None:
        self._server.accepting = False
        self._server.del_channel()
        self._server.socket.close()
        for one in tuple(self.sockets.values()):
            if isinstance(one, Lender):
                one.recall()
        stopping()
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until and any(_is_busy(one) for one in tuple(self.sockets.values())):
            self._turn()


def _is_busy(one: Any) -> bool:
    """Whether a connection is lent, or a request is being received, answered or sent."""
    if isinstance(one, Channel):
        return bool(one.request is not None or one.requests or one.total_outbufs_len)
    return isinstance(one, Lender)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(
            f"{host} port {port} cannot be bound: {error}.",
            remedy="Choose another {host} or {port} (0: a free one).",
            of=Listener,
        ) from error


def _serve_on(app: Flask, bound: socket.socket, threads: int) -> Any:
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns whenever two requests meet
    server = create_server(
        app,
        sockets=[bound],
        threads=threads,
        ident="dermport",
        max_request_body_size=MAX_BODY,
        max_request_header_size=MAX_HEADER,
        connection_limit=MAX_CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=5,
        recv_bytes=_RECEIVE,
        inbuf_overflow=MAX_BODY,
        asyncore_use_poll=True,
    )
    server.channel_class = Channel
    return server
