"""One log line and one count for every request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Request, Response, g, request

from dermport.bundle.wire import PredictionAnswer, ServedModel, ServedRuntime
from dermport.server.operations.logs import with_fields
from dermport.server.operations.metrics import ServerMetrics
from dermport.server.plain import plain
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
        told = _Told(plain(request), plain(g), response)
        metrics.request(told.route, told.request.method, told.status, told.problem)
        for answer, batch in told.notes.answers:
            metrics.photo(vars(answer.milliseconds), batch)
        endpoint = told.request.endpoint
        level = _level(app.view_functions[endpoint] if endpoint else None, told.status)
        if _LOG.isEnabledFor(level):
            # Not _LOG.log(), which looks for the line of code that called it.
            words = f"{told.method} {told.route} {told.status}"
            record = _LOG.makeRecord(_LOG.name, level, "", 0, words, (), None, extra=with_fields(told.fields()))
            _LOG.handle(record)
        return response

    app.before_request(begin)
    app.after_request(end)


def note(answer: PredictionAnswer, batch: int = 1) -> None:
    """Have the current request's line and the metrics know of an answered photo.

    Args:
        answer: The answer; of it, the model, the runtime and the times are used.
        batch: How many photos the runtime answered in the same run.
    """
    plain(g).notes.answers.append((answer, batch))


def note_outside(metrics: ServerMetrics, status: int) -> None:
    """Log and count a request that never came to the app: it was no HTTP, too large, or too slow."""
    metrics.request(_NOWHERE, "-", status)
    _LOG.info("- %s %d", _NOWHERE, status, extra=with_fields({"status": status}))


def _named(model: ServedModel, runtime: ServedRuntime) -> Mapping[str, str]:
    return {"model": f"{model.name} {model.version}", "runtime": runtime.name}


def _level(view: Callable[..., object] | None, status: int) -> int:
    if status >= 500:
        return logging.WARNING
    # Health checks and scrapes come every few seconds, and say nothing while all is well.
    return logging.DEBUG if view and is_unlimited(view) and status < 400 else logging.INFO


class _Told:
    """What is told of a request."""

    def __init__(self, request: Request, g: Any, response: Response) -> None:
        self.request, self.status = request, response.status_code
        self.notes: Notes = g.notes
        self.request_id, self.problem, self.caller = g.request_id, g.get("problem_code", ""), g.get("caller")
        rule = request.url_rule
        self.route, self.method = (rule.rule, request.method) if rule else (_NOWHERE, "-")

    def fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "request_id": self.request_id,
            "route": self.route,
            "method": self.method,
            "status": self.status,
            "problem": self.problem,
            "milliseconds": {"total": round(1000 * (time.perf_counter() - self.notes.began), 3)},
            "bytes_in": self.request.content_length or 0,
            "key": self.caller.key_id if self.caller else "",
        }
        if answers := self.notes.answers:
            slowest = max((answer for answer, _ in answers), key=lambda answer: answer.milliseconds.total)
            fields["milliseconds"] = vars(slowest.milliseconds) | fields["milliseconds"]
            fields |= {"photos": len(answers), **_named(slowest.model, slowest.runtime)}
        return fields
