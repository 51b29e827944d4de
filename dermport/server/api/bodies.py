"""What the bodies of requests are, where they are no JSON that flask-openapi3 could read off the code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from dermport.bundle.wire import IDEMPOTENCY_HEADER, PHOTO_FIELD, PHOTO_TYPES, PREP_HEADER

_View = TypeVar("_View", bound=Callable[..., object])
_MARK = "dermport_body"
_HEADERS = "dermport_headers"
BINARY = {"type": "string", "format": "binary"}


def form(**fields: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a multipart form with required `fields`, each a JSON Schema."""
    return {"multipart/form-data": {"schema": {"type": "object", "properties": fields, "required": list(fields)}}}


ONE_PHOTO = {**{kind: {"schema": BINARY} for kind in PHOTO_TYPES}, **form(**{PHOTO_FIELD: BINARY})}
PHOTOS = form(**{PHOTO_FIELD: {"type": "array", "items": BINARY, "minItems": 1}})


def takes(content: dict[str, Any]) -> Callable[[_View], _View]:
    """Say what a view takes: OpenAPI's ``content`` of its request body."""

    def mark(view: _View) -> _View:
        setattr(view, _MARK, content)
        return view

    return mark


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string", **schema}}


PREPARED = _header(
    PREP_HEADER, "the photo is a PNG that the sender has prepared: the model's very input", enum=["dermport-prep/1"]
)
IDEMPOTENT = _header(
    IDEMPOTENCY_HEADER,
    "a UUID, say, that the sender keeps with what it sends: sent again, it is stored once",
    minLength=1,
    maxLength=128,
    pattern="^[!-~]*$",
)


def reads(*headers: dict[str, Any]) -> Callable[[_View], _View]:
    """Say which headers a view reads: OpenAPI's parameters."""

    def mark(view: _View) -> _View:
        setattr(view, _HEADERS, headers)
        return view

    return mark


def headers_of(view: Callable[..., object]) -> tuple[dict[str, Any], ...]:
    """Return what :func:`reads` said."""
    headers: tuple[dict[str, Any], ...] = getattr(view, _HEADERS, ())
    return headers


def body_of(view: Callable[..., object]) -> dict[str, Any] | None:
    """Return what :func:`takes` said, or None."""
    content: dict[str, Any] | None = getattr(view, _MARK, None)
    return content
