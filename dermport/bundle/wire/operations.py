"""Errors as documents, and what a server says of itself to those who run it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from dermport.bundle.wire.base import Message


class Problem(Message):
    """Every error, as RFC 9457 has it; ``code`` is stable and made for programs, ``remedy`` for people."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: str
    code: str
    remedy: str = ""
    request_id: str


class HealthAnswer(Message):
    """The answer to ``GET /healthz``: the process answers."""

    status: Literal["ok"] = "ok"


class KeySummary(Message):
    """An API key, without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class KeysAnswer(Message):
    """The answer to ``GET /v1/keys``."""

    keys: tuple[KeySummary, ...]
