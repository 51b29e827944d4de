"""One log line and one count for every request."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from flask import Flask, Response, current_app, g, request

from dermport.bundle.wire import PredictionAnswer, ServedModel, ServedRuntime
from dermport.server.express.express import Answered
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


class OutsideJournal:
    """One log line and one count for every request that did not pass the app (a :class:`.server.listener.Outside`).

    Args:
        metrics: Where they are counted.
    """

    _ROUTE, _METHOD = "/v1/predict", "POST"  # the one view that makes offers

    def __init__(self, metrics: ServerMetrics) -> None:
        self._metrics = metrics

    def answered(self, answered: Answered) -> None:
        """Log and count a photo that a worker answered by itself."""
        self._metrics.request(self._ROUTE, self._METHOD, 200)
        self._metrics.photo(answered.milliseconds, batch=1)
        fields = {
            "request_id": answered.request_id,
            "route": self._ROUTE,
            "method": self._METHOD,
            "status": 200,
            "problem": "",
            "milliseconds": answered.milliseconds,
            "bytes_in": answered.bytes_in,
            "key": answered.permit.key_id,
            "photos": 1,
            **_served(answered.permit.model, answered.permit.runtime),
        }
        _LOG.info("%s %s 200", self._METHOD, self._ROUTE, extra=with_fields(fields))

    def refused(self, status: int) -> None:
        """Log and count a request that was no HTTP, too large, too slow, or lost."""
        self._metrics.request(_NOWHERE, "-", status)
        _LOG.info("- %s %d", _NOWHERE, status, extra=with_fields({"status": status}))


@lru_cache(maxsize=8)
def _served(model: str, runtime: str) -> Mapping[str, str]:
    """Return what a line says of model and runtime, which a permit has as JSON."""
    return _named(ServedModel.model_validate_json(model), ServedRuntime.model_validate_json(runtime))


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
