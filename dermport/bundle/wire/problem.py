"""Errors as documents."""

from __future__ import annotations

from typing import Annotated

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
