"""One log line and one count for every request."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, current_app, g, request

from dermport.bundle.wire import PredictionAnswer, ServedModel, ServedRuntime
from dermport.server.operations.logs import with_fields
from dermport.server.operations.metrics import ServerMetrics
from dermport.server.security.guard import caller
from dermport.server.security.limits import is_unlimited

_LOG = logging.getLogger("dermport.requests")
_NOWHERE = "(none)"


@dataclass
class Notes:
    """What a request's line says besides what HTTP knows.

    Attributes:
        began: When the request came to us, seconds of ``time.perf_counter``.
        answers: The photos that were answered, each with the size of its batch.
    """

    began: float = field(default_factory=time.perf_counter)
    answers: list[tuple[PredictionAnswer, int]] = field(default_factory=list)


def register(app: Flask, metrics: ServerMetrics) -> None:
    """Log and count every request of `app`; after request ids, and before everything that could refuse one.

    A file that is streamed counts until its first byte.
    """

    def begin() -> None:
        g.notes = Notes()

    def end(response: Response) -> Response:
        metrics.request(_route(), request.method, response.status_code, g.get("problem_code", ""))
        for answer, batch in g.notes.answers:
            metrics.photo(answer.milliseconds.model_dump(), batch)
        _LOG.log(_level(response.status_code), _message(response), extra=with_fields(_fields(response)))
        return response

    app.before_request(begin)
    app.after_request(end)


def note(answer: PredictionAnswer, batch: int = 1) -> None:
    """Have the current request's line and the metrics know of an answered photo.

    Args:
        answer: The answer; of it, the model, the runtime and the times are used.
        batch: How many photos the runtime answered in the same run.
    """
    g.notes.answers.append((answer, batch))


def note_outside(metrics: ServerMetrics, status: int) -> None:
    """Log and count a request that never came to the app: it was no HTTP, too large, or too slow."""
    metrics.request(_NOWHERE, "-", status)
    _LOG.info("- %s %d", _NOWHERE, status, extra=with_fields({"status": status}))


def _named(model: ServedModel, runtime: ServedRuntime) -> Mapping[str, str]:
    return {"model": f"{model.name} {model.version}", "runtime": runtime.name}


def _route() -> str:
    return request.url_rule.rule if request.url_rule else _NOWHERE


def _message(response: Response) -> str:
    return f"{request.method if request.url_rule else '-'} {_route()} {response.status_code}"


def _level(status: int) -> int:
    if status >= 500:
        return logging.WARNING
    view = current_app.view_functions[request.endpoint] if request.endpoint else None
    # Health checks and scrapes come every few seconds, and say nothing while all is well.
    return logging.DEBUG if view and is_unlimited(view) and status < 400 else logging.INFO


def _fields(response: Response) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "request_id": g.request_id,
        "route": _route(),
        "method": request.method if request.url_rule else "-",
        "status": response.status_code,
        "problem": g.get("problem_code", ""),
        "milliseconds": {"total": round(1000 * (time.perf_counter() - g.notes.began), 3)},
        "bytes_in": request.content_length or 0,
        "key": caller().key_id,
    }
    if answers := g.notes.answers:
        slowest = max((answer for answer, _ in answers), key=lambda answer: answer.milliseconds.total)
        fields["milliseconds"] = slowest.milliseconds.model_dump() | fields["milliseconds"]
        fields |= {"photos": len(answers), **_named(slowest.model, slowest.runtime)}
    return fields
