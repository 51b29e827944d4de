"""Log lines: one object each, and nothing in them that says who asked or what was on the photo."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from dermport.server.operations.logs import configure, with_fields


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("dermport").setLevel(logging.NOTSET)


def _lines(stream: io.StringIO) -> list[Any]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_carry_fields_and_traces() -> None:
    stream = io.StringIO()
    configure("json", stream)
    log = logging.getLogger("dermport.requests")
    log.info("one\ntwo", extra=with_fields({"status": 200, "name": "Zoë"}))
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("failed")
    first, second = _lines(stream)
    assert (first["level"], first["logger"], first["message"]) == ("info", "dermport.requests", "one\ntwo")
    assert (first["status"], first["name"]) == (200, "Zoë")
    age = datetime.now(timezone.utc) - datetime.fromisoformat(first["time"])
    assert 0 <= age.total_seconds() < 5
    assert "ValueError: broken" in second["trace"]


def test_libraries_are_heard_only_when_they_warn() -> None:
    stream = io.StringIO()
    configure("json", stream)
    logging.getLogger("gunicorn").info("chatter")
    logging.getLogger("gunicorn").warning("trouble")
    logging.getLogger("dermport.requests").debug("a health check")
    assert [line["message"] for line in _lines(stream)] == ["trouble"]


def test_text_lines_cannot_be_forged() -> None:
    stream = io.StringIO()
    configure("text", stream)
    logging.getLogger("dermport").info("a\nb", extra=with_fields({"code": "plain", "other": 'x y" z=1\n2026 info'}))
    [line] = stream.getvalue().splitlines()
    assert line.endswith('info    a b code=plain other="x y\\" z=1\\n2026 info"')
