"""What a server says of itself to those who run it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from dermport.bundle.wire.base import Message


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
