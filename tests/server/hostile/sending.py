"""Sends hostile requests and judges the answers."""

from __future__ import annotations

import http.client
import io
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import ValidationError

from dermport.bundle.wire import PROBLEM_TYPE, Problem
from tests.server.hostile.requests import MARK, Hostile

ANSWER_SECONDS = 30.0
_PAGES = ("/app/", "/dashboard/")  # the one kind of redirect: from the front door to a page here
_LEAKS = (
    "Traceback",
    "site-packages",
    ".py",
    "/work",
    "/tmp",
    "Exception",
    "sqlalchemy",
    "pydantic",
    "werkzeug",
    "PIL",
)


@dataclass(frozen=True)
class Outcome:
    """What became of a request.

    Attributes:
        kind: What was wrong with it.
        status: The answer's status; "closed" where the server closed the connection instead, "left" where it owed none.
        seconds: From the first byte sent to the answer.
        complaint: What the answer should not have been; empty where it is well.
    """

    kind: str
    status: int | str
    seconds: float
    complaint: str = ""


def send(url: str, hostile: Hostile) -> Outcome:
    """Send a request over a connection of its own."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=ANSWER_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.monotonic()
        _send_parts(connection, hostile)
        connection.settimeout(ANSWER_SECONDS if hostile.whole else 0.02)
        try:
            source = _Replay(_everything(connection)) if hostile.kind == "smuggling" else connection
            response = http.client.HTTPResponse(source, method=hostile.method)  # type: ignore[arg-type]
            response.begin()
            body = response.read()
        except TimeoutError:
            return Outcome(hostile.kind, "left", _since(began), "no answer" if hostile.whole else "")
        except (ConnectionError, http.client.HTTPException) as error:
            return Outcome(hostile.kind, "closed", _since(began), "" if _is_close(error) else repr(error))
        complaint = _complaint(response, body, hostile.method)
        if isinstance(source, _Replay) and MARK.encode() in source.data:
            complaint = "the hidden request was answered"
    return Outcome(hostile.kind, response.status, _since(began), complaint)


def _since(began: float) -> float:
    return time.monotonic() - began


def _send_parts(connection: socket.socket, hostile: Hostile) -> None:
    try:
        for number, part in enumerate(hostile.parts):
            if number:
                time.sleep(hostile.pause)
            connection.sendall(part)
    except ConnectionError:
        return  # refused before its end; the answer says why


def _is_close(error: Exception) -> bool:
    return isinstance(error, (ConnectionError, http.client.RemoteDisconnected))


def _complaint(response: http.client.HTTPResponse, body: bytes, method: str) -> str:
    if b"root:x:0" in body:
        return "it gave out a file"
    if response.status == 302 and response.headers["Location"] in _PAGES:
        return ""
    if 300 <= response.status < 400 or (response.status >= 500 and response.status != 501):
        return f"{response.status}: {body.decode('utf-8', 'replace')[:300]}"
    if response.status < 300 or method == "HEAD":
        return ""
    return _problem_complaint(response, body)


def _problem_complaint(response: http.client.HTTPResponse, body: bytes) -> str:
    if response.headers["Content-Type"] != PROBLEM_TYPE:
        return f"{response.status} is {response.headers['Content-Type']}"
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError as error:
        return f"{response.status} is no problem document: {error}"
    if problem.status != response.status or not problem.detail or not problem.request_id:
        return f"the document does not fit the answer: {problem}"
    leak = next((leak for leak in _LEAKS if leak in problem.detail + problem.remedy), None)
    return f"{leak!r} in {problem.detail!r}" if leak else ""


@dataclass(frozen=True)
class _Replay:
    """What was received, for http.client to read as from a socket."""

    data: bytes

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.data)


def _everything(connection: socket.socket) -> bytes:
    """Return all that comes until the connection is closed, or nothing more has come for a second."""
    data = b""
    try:
        while chunk := connection.recv(65_536):
            data += chunk
            connection.settimeout(1.0)
    except (TimeoutError, ConnectionError):
        if not data:
            raise
    return data
