"""The production WSGI server (waitress) around the app: bind, say where, serve until told to stop."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from bundle.errors import UsageError
from bundle.wire import PROBLEM_TYPE
from server.problems import problem, words_of
from server.request_ids import new_request_id
from server.upload import MAX_BODY

WORKERS = 8


class _ProblemTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Answers what waitress refuses before the app sees it (too large, not HTTP) in the app's own form."""

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
    error_task_class = _ProblemTask


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
        workers: Requests that are read, decoded and answered at the same time.

    Attributes:
        url: Where it answers.

    Raises:
        UsageError: The address cannot be bound.
    """

    def __init__(self, app: Flask, host: str, port: int, workers: int = WORKERS) -> None:
        self._server = _bind(app, host, port, workers)
        self._server.channel_class = _Channel
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.effective_port}"

    def run(self, announce: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; requests that are being answered then are still answered.

        Args:
            announce: Called once signals are understood, to tell whoever waits for the server.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        with contextlib.suppress(SystemExit):
            announce()
            self._server.run()
        self._server.close()


def _bind(app: Flask, host: str, port: int, workers: int) -> Any:
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns whenever two requests meet
    try:
        return create_server(
            app, host=host, port=port, threads=workers, ident="dermport", max_request_body_size=MAX_BODY
        )
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{host} port {port} cannot be bound: {error}.", remedy="Choose another --host or --port (0: a free one)."
        ) from error


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)  # which waitress takes as the order to finish what it has begun
