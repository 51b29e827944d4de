"""Which web pages of other origins may call the server (CORS): those on a list, and without cookies.

Own code: Flask-CORS reads origins as patterns, and can neither expose headers by how their names begin nor leave out
what was not asked for.
"""

from __future__ import annotations

from flask import Flask, Response, request

from dermport.bundle.wire import API_KEY_HEADER, IDEMPOTENCY_HEADER, PREP_HEADER, REQUEST_ID_HEADER

_PREFLIGHT_SECONDS = 600
_METHODS = "GET, HEAD, POST, PUT, DELETE"
_STANDARD = ("Authorization", "Content-Type", "If-Match", "If-None-Match", "If-Range", "Range")
_SENT = ", ".join((*_STANDARD, API_KEY_HEADER, IDEMPOTENCY_HEADER, PREP_HEADER, REQUEST_ID_HEADER))
_READ = ("ETag", "Content-Range", "Location", "Retry-After", "RateLimit", "RateLimit-Policy", REQUEST_ID_HEADER)
_OURS = "x-dermport-"


def register(app: Flask, origins: tuple[str, ...]) -> None:
    """Let pages of `origins` (``https://app.example``, exactly as a browser says it) call `app`."""
    if not origins:
        return

    def answer(response: Response) -> Response:
        response.vary.add("Origin")
        origin = request.headers.get("Origin", "")
        if origin in origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            _allow(response)
        return response

    app.after_request(answer)


def _allow(response: Response) -> None:
    headers = response.headers
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        headers["Access-Control-Allow-Methods"] = _METHODS
        headers["Access-Control-Allow-Headers"] = _SENT
        headers["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
    else:
        ours = sorted({name for name, _ in headers if name.lower().startswith(_OURS)})
        headers["Access-Control-Expose-Headers"] = ", ".join((*_READ, *ours))
