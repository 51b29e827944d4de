"""One id per request, in the answer, in every problem and in the log."""

from __future__ import annotations

import random
import re

from flask import Flask, Response, g, request

from dermport.bundle.wire import REQUEST_ID_HEADER

HEADER = REQUEST_ID_HEADER
_SENT = f"HTTP_{HEADER.upper().replace('-', '_')}"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def new_request_id() -> str:
    """Return a random id; nobody has to be unable to guess it."""
    return f"{random.getrandbits(128):032x}"


def register(app: Flask) -> None:
    """Give every request of `app` an id: the sender's own where it is a plain one, else a new one."""
    app.before_request(_assign)
    app.after_request(_send)


def request_id_of(sent: str) -> str:
    """Return the sender's own id where it is a plain one, else a new one."""
    return sent if _ACCEPTED.fullmatch(sent) else new_request_id()


def _assign() -> None:
    g.request_id = request_id_of(request.environ.get(_SENT, ""))


def _send(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    return response
