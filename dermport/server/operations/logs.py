"""Log lines for machines or for people, with nothing in them that says who asked or what was on the photo.

Own code: of python-json-logger's formatter, time, level and fields would have to be overridden, which is all there is.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, Literal, TextIO

LogFormat = Literal["json", "text"]
_FIELDS = "dermport_fields"
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode  # made once
_QUOTED = frozenset(r' "\=')  # what asks for quotes around it


def with_fields(fields: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the ``extra`` of a log call whose line carries `fields`."""
    return {_FIELDS: fields}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, fields, trace."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return _encode(line)


class TextFormatter(logging.Formatter):
    """The same for people; a message cannot begin a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the trace below it."""
        fields = " ".join([f"{name}={_shown(value)}" for name, value in getattr(record, _FIELDS, {}).items()])
        message = record.getMessage().replace("\n", " ")
        line = f"{_time(record)} {record.levelname.lower():7} {message} {fields}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


_FORMATTERS: dict[LogFormat, type[logging.Formatter]] = {"json": JsonFormatter, "text": TextFormatter}


def configure(form: LogFormat, stream: TextIO | None = None) -> None:
    """Send what dermport logs from INFO on, and the warnings of libraries, to `stream` (None: stderr) alone."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # which no line of ours names
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_FORMATTERS[form]())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("dermport").setLevel(logging.INFO)


def _time(record: logging.LogRecord) -> str:
    second = int(record.created)
    return f"{_to_the_second(second)}.{int(1000 * (record.created - second)):03d}+00:00"


@lru_cache(maxsize=1)
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def _shown(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return value if value and _QUOTED.isdisjoint(value) and value.isprintable() else _quoted(value)
    if kind is int or kind is float:
        return str(value)
    return _encode(value)


@lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    return _encode(text)
