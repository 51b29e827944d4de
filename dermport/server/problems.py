"""Errors as RFC 9457 problem documents: what was wrong in our own words, never a trace, a path or library text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import NoReturn

from flask import Flask, Response, current_app, g, request
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException

from dermport.bundle.prep import MAX_BYTES
from dermport.bundle.wire import PROBLEM_TYPE, Problem
from dermport.errors import PhotoError, RequestError, StorageError, UnavailableError


@dataclass(frozen=True)
class Words:
    """What we say of an error."""

    code: str
    detail: str
    remedy: str = ""


BY_STATUS = {
    400: Words("bad-request", "The request cannot be read.", "Check its headers and form fields."),
    401: Words("no-key", "This address needs an API key."),
    403: Words("forbidden", "This is not allowed."),
    404: Words("not-found", "There is nothing at this address.", "Photos go to POST /v1/predict."),
    405: Words("method-not-allowed", "This address does not take this method.", "Its Allow header names those."),
    408: Words("too-slow", "The request was not complete in time.", "Send it again over a better connection."),
    409: Words("conflict", "The request does not fit what the server has.", "Ask for the present state first."),
    410: Words("gone", "What was at this address has been removed."),
    411: Words("length-required", "The request does not say how long its body is.", "Send it with Content-Length."),
    412: Words("precondition-failed", "What the request's conditions name has changed.", "Ask for it anew."),
    413: Words("too-many-bytes", f"The request is too large: a photo has at most {MAX_BYTES:,} bytes."),
    415: Words("unsupported-type", "A body of this type is not accepted here."),
    416: Words("bad-range", "The file has no such range of bytes.", "Its Content-Range header says how many it has."),
    422: Words("invalid", "The request does not have the agreed form.", "GET /openapi.json describes it."),
    429: Words("too-many-requests", "Too many requests.", "Send it again after the time in Retry-After."),
    431: Words("headers-too-large", "The request's headers are too large."),
    500: Words("internal", "The server failed; its log has the cause under this request id.", "Try again."),
    501: Words("not-implemented", "The server does not know this transfer encoding."),
    503: Words("unavailable", "The server cannot answer for now.", "Send the request again later."),
    507: Words("storage-unavailable", "The server has no room to store this.", "Keep it and send it again later."),
}
# Statuses of photos by the reason why they are refused; of any other, 422.
_PHOTO_STATUS = {
    "empty": 400,
    "too-many-bytes": 413,
    "too-many-pixels": 413,
    "too-many-scans": 413,
    "not-png": 415,
    "unsupported-form": 415,
    "unsupported-type": 415,
}
_PHOTO_CODE = {"not-png": "not-prepared"}
# What a request is told of the storage, by the reason: a status, words, and seconds after which it may be sent again.
_KEEP = "Keep it and send it again later; whoever runs the server must"
_STORAGE = {
    "full": (507, "The server cannot store this: its disk is full.", f"{_KEEP} make room.", 60.0),
    "gone": (507, "The server's storage is gone.", f"{_KEEP} put it back.", 60.0),
}
_NO_STORAGE = (
    503,
    "The server cannot reach its storage for now.",
    "Send the request again after the time in Retry-After; predictions go on meanwhile.",
    10.0,
)
# Headers that HTTP asks for beside some statuses; of what is below us, nothing else is passed on.
_PASSED_ON = ("Allow", "Content-Range", "Retry-After")
# Headers that HTTP asks for beside a reason.
_HEADERS = {
    "no-key": ("WWW-Authenticate", 'Bearer realm="dermport"'),
    "invalid-key": ("WWW-Authenticate", 'Bearer realm="dermport", error="invalid_token"'),
    "key-scope": ("WWW-Authenticate", 'Bearer realm="dermport", error="insufficient_scope"'),
    "unsupported-encoding": ("Accept-Encoding", "identity"),
}
_FIELDS_SHOWN = 5
_NAME_SHOWN = 64


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


def problem_of(error: RequestError | PhotoError, *, instance: str, request_id: str) -> Problem:
    """Return the problem document of a refusal."""
    refusal = refusal_of(error)
    words = Words(refusal.code, refusal.message, refusal.remedy)
    return problem(refusal.status, words, instance=instance, request_id=request_id)


def refusal_of(error: RequestError | PhotoError | StorageError) -> RequestError:
    """Return an error as the refusal of a request."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, StorageError):
        status, words, remedy, seconds = _STORAGE.get(error.reason, _NO_STORAGE)
        message = f"{words} Nothing was stored."
        return RequestError(message, code="storage-unavailable", status=status, remedy=remedy, retry_after=seconds)
    code = _PHOTO_CODE.get(error.code, error.code)
    return RequestError(error.message, code=code, status=_PHOTO_STATUS.get(error.code, 422), remedy=error.remedy)


def storage_words(error: StorageError) -> str:
    """Return what anybody may be told of a storage that fails."""
    return _STORAGE.get(error.reason, _NO_STORAGE)[1]


def words_of(status: int) -> Words:
    """Return our words for an HTTP status that comes from below us."""
    return BY_STATUS.get(status) or Words(f"http-{status}", f"{HTTPStatus(status).phrase}.")


def register(app: Flask) -> None:
    """Have every error of `app` answered with a problem document."""
    app.register_error_handler(RequestError, _refused)
    app.register_error_handler(StorageError, lambda error: _refused(refusal_of(error)))
    app.register_error_handler(PhotoError, lambda error: _refused(refusal_of(error)))
    app.register_error_handler(UnavailableError, _unavailable)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def refuse_invalid(error: ValidationError) -> NoReturn:
    """Raise RequestError 422 that names the fields and what is wrong with each (flask-openapi3's error callback)."""
    found = [_complaint(one) for one in error.errors(include_url=False, include_context=False, include_input=False)]
    more = f"; and {len(found) - _FIELDS_SHOWN} more" if len(found) > _FIELDS_SHOWN else ""
    words = words_of(422)
    raise RequestError(
        f"{words.detail.rstrip('.')}: {'; '.join(found[:_FIELDS_SHOWN])}{more}.",
        code=words.code,
        status=422,
        remedy=words.remedy,
    ) from error


def _complaint(error: ErrorDetails) -> str:
    # A sender's own field names are among these: they are cut, and cannot break out of the line.
    name = ".".join(str(part) for part in error["loc"])
    shown = name if len(name) <= _NAME_SHOWN else f"{name[:_NAME_SHOWN]}..."
    if error["type"] == "extra_forbidden":
        return f"{shown!r} is not known here"
    return f"{shown or 'body'}: {error['msg']}"


def _respond(status: int, words: Words) -> Response:
    document = problem(status, words, instance=request.script_root + request.path, request_id=g.request_id)
    response = Response(document.model_dump_json(), status=status, mimetype=PROBLEM_TYPE)
    if header := _HEADERS.get(words.code):
        response.headers.set(*header)
    g.problem_code = words.code  # for the log and the metrics
    return response


def _refused(error: RequestError) -> Response:
    response = _respond(error.status, Words(error.code, error.message, error.remedy))
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return response


def _unavailable(error: UnavailableError) -> Response:
    return _respond(503, Words("not-ready", error.message, error.remedy))


def _http(error: HTTPException) -> Response:
    response = _respond(error.code or 500, words_of(error.code or 500))
    for name, value in error.get_headers():
        if name in _PASSED_ON:
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    current_app.logger.error("request %s failed", g.request_id, exc_info=error)
    return _respond(500, words_of(500))
