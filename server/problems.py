"""Errors as RFC 9457 problem documents: what was wrong in our own words, never a trace, a path or library text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from http import HTTPStatus

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from bundle.errors import RequestError, UnavailableError
from bundle.prep import MAX_BYTES
from bundle.wire import PROBLEM_TYPE, Problem


@dataclass(frozen=True)
class Words:
    """What we say of an error."""

    code: str
    detail: str
    remedy: str = ""


BY_STATUS = {
    400: Words("bad-request", "The request cannot be read.", "Check its headers and form fields."),
    404: Words("not-found", "There is nothing at this address.", "Photos go to POST /v1/predict."),
    405: Words("method-not-allowed", "This address does not take this method.", "Its Allow header names those."),
    413: Words("too-many-bytes", f"The request is too large: a photo has at most {MAX_BYTES:,} bytes."),
    431: Words("headers-too-large", "The request's headers are too large."),
    500: Words("internal", "The server failed; its log has the cause under this request id.", "Try again."),
    501: Words("not-implemented", "The server does not know this transfer encoding."),
}


def problem(status: int, words: Words, *, instance: str, request_id: str) -> Problem:
    """Return the problem document of an error."""
    return Problem(
        type=f"urn:dermport:problem:{words.code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=words.detail,
        instance=instance,
        code=words.code,
        remedy=words.remedy,
        request_id=request_id,
    )


def problem_of(error: RequestError, *, instance: str, request_id: str) -> Problem:
    """Return the problem document of a refusal."""
    words = Words(error.code, error.message, error.remedy)
    return problem(error.status, words, instance=instance, request_id=request_id)


def words_of(status: int) -> Words:
    """Return our words for an HTTP status that comes from below us."""
    return BY_STATUS.get(status) or Words(f"http-{status}", f"{HTTPStatus(status).phrase}.")


def register(app: Flask) -> None:
    """Have every error of `app` answered with a problem document."""
    app.register_error_handler(RequestError, _refused)
    app.register_error_handler(UnavailableError, _unavailable)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _respond(status: int, words: Words) -> Response:
    document = problem(status, words, instance=request.path, request_id=g.request_id)
    return Response(document.model_dump_json(), status=status, mimetype=PROBLEM_TYPE)


def _refused(error: RequestError) -> Response:
    response = _respond(error.status, Words(error.code, error.message, error.remedy))
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response


def _unavailable(error: UnavailableError) -> Response:
    return _respond(503, Words("not-ready", error.message, error.remedy))


def _http(error: HTTPException) -> Response:
    response = _respond(error.code or 500, words_of(error.code or 500))
    for name, value in error.get_headers():
        if name in ("Allow", "Content-Range", "Retry-After"):
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    current_app.logger.error("request %s failed", g.request_id, exc_info=error)
    return _respond(500, words_of(500))
