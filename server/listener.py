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
from typing import Any

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import create_server
from waitress.task import ErrorTask
from waitress.utilities import Error, ServerNotImplemented

from bundle.errors import UsageError
from bundle.wire import PROBLEM_TYPE
from server.problems import problem, words_of
from server.request_ids import new_request_id
from server.upload import MAX_BODY

MAX_HEADER = 32 * 1024
MAX_CONNECTIONS = 256
# What all requests that are being received may hold together. They are kept in memory, never in a file: a photo's EXIF
# is nothing to leave on a disk.
MAX_RECEIVING = 512 * 1024 * 1024
# A request that is not complete after so long is given up: a photo of 3 MB at 0.5 Mbit/s takes 50 s.
REQUEST_SECONDS = 60
IDLE_SECONDS = 75
DRAIN_SECONDS = 30.0
_STUCK_SECONDS = 15.0
_RECEIVE = 64 * 1024


class _TooSlowError(Error):  # type: ignore[misc]  # waitress has no types
    code = 408
    reason = "Request Timeout"


class _TooMuchError(Error):  # type: ignore[misc]  # waitress has no types
    code = 503
    reason = "Service Unavailable"


class _NoLengthError(Error):  # type: ignore[misc]  # waitress has no types
    code = 411
    reason = "Length Required"


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Takes no transfer encodings: memory is counted before it is filled, and all agree on where a body ends."""

    error: Error | None

    def received(self, data: bytes) -> int:
        consumed = int(super().received(data))
        if self.chunked or isinstance(self.error, ServerNotImplemented):
            self.error = _NoLengthError("the body's length is not said")
            self.completed = True
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # Python takes no number of thousands of digits
            raise ParsingError("Content-Length is invalid") from error


class _ProblemTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Answers what waitress refuses before the app sees it (too large, too slow, not HTTP) in the app's own form."""

    def execute(self) -> None:
        status = self.request.error.code
        document = problem(
            status, words_of(status), instance=getattr(self.request, "path", ""), request_id=new_request_id()
        )
        body = document.model_dump_json().encode()
        self.status = f"{status} {document.title}"
        self.response_headers.append(("Content-Type", PROBLEM_TYPE))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection on which a request has to be complete in time, and to fit into memory beside the others."""

    parser_class = _Parser
    error_task_class = _ProblemTask
    begun = 0.0
    request: Any

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.begun = time.monotonic()
        received = bool(super().received(data))
        if self.request is not None and self._promised() > MAX_RECEIVING:
            self._give_up(_TooMuchError("too much is being received"))
        return received

    def readable(self) -> bool:
        if self.request is not None and time.monotonic() - self.begun > REQUEST_SECONDS:
            self._give_up(_TooSlowError("the request was not complete in time"))
        return bool(super().readable())

    def _promised(self) -> int:
        """Return the bytes that all requests being received now will have."""
        receiving = (channel.request for channel in tuple(self.server.active_channels.values()))
        return sum(request.content_length for request in receiving if request is not None)

    def _give_up(self, why: Error) -> None:
        with self.requests_lock:
            request, self.request = self.request, None
            request.error = why
            request.completed = True
            self.requests.append(request)
            if len(self.requests) == 1:
                self.server.add_task(self)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Listener:
    """An app bound to a port; it listens from the start and serves in :meth:`run`.

    Args:
        app: The app.
        host: The address to bind.
        port: The port; 0 takes a free one.
        threads: Requests that are read, answered or waiting at the same time.

    Attributes:
        url: Where it answers.
        draining: Set once the server was told to stop.

    Raises:
        UsageError: The address cannot be bound.
    """

    def __init__(self, app: Flask, host: str, port: int, threads: int) -> None:
        self._server = _serve_on(app, _bind(host, port), threads)
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
        self._server.asyncore.close_all(self._server._map)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self.draining.is_set():
            self.draining.set()
            self._server.pull_trigger()  # else the loop would sleep its second out

    def is_alive(self) -> bool:
        """Whether connections are being looked after."""
        return time.monotonic() - self._turned < _STUCK_SECONDS

    def _turn(self) -> None:
        self._turned = time.monotonic()
        self._server.asyncore.loop(timeout=1, map=self._server._map, use_poll=True, count=1)

    def _drain(self, stopping: Callable[[], object]) -> None:
        self._server.accepting = False
        self._server.del_channel()
        self._server.socket.close()
        stopping()
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until and any(_is_busy(channel) for channel in self._channels()):
            self._turn()

    def _channels(self) -> list[Any]:
        return list(self._server.active_channels.values())


def _is_busy(channel: Any) -> bool:
    """Whether a request is being received, answered or sent."""
    return bool(channel.request is not None or channel.requests or channel.total_outbufs_len)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(
            f"{host} port {port} cannot be bound: {error}.", remedy="Choose another --host or --port (0: a free one)."
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
    server.channel_class = _Channel
    return server
