"""Queries, JSON answers, and bodies of requests that flask-openapi3 could not read off the code."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask, Response, request
from pydantic import BaseModel

from dermport.bundle.manifest import PREP_ID
from dermport.bundle.wire import IDEMPOTENCY_HEADER, PHOTO_FIELD, PHOTO_TYPES, PREP_HEADER, Message
from dermport.server.plain import plain
from dermport.server.upload import MAX_BATCH

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_JSON = "application/json"


class Query(Message):
    """A query string. Its schema is made once: flask-openapi3 asks for it at every request."""

    @classmethod
    @cache
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:  # type: ignore[override]  # cached
        """Return the JSON Schema; not to be changed."""
        return super().model_json_schema(*args, **options)


def skip_empty_queries(app: Flask) -> None:
    """Call the views of `app` that take nothing but a query with its defaults, where none was sent.

    flask-openapi3 looks at the view's signature and validates the query at each request.
    """
    for endpoint, view in app.view_functions.items():
        unwrapped = inspect.unwrap(view)
        hints = typing.get_type_hints(unwrapped) if set(inspect.signature(unwrapped).parameters) == {"query"} else {}
        kind = hints.get("query")
        if kind is not None and not any(field.is_required() for field in kind.model_fields.values()):
            app.view_functions[endpoint] = _with_default(view, unwrapped, kind())


def _with_default(view: Callable[..., Any], unwrapped: Callable[..., Any], default: Query) -> Callable[..., Any]:
    @wraps(view)
    def called(**values: Any) -> Any:
        return view(**values) if plain(request).query_string else unwrapped(query=default)

    return called


_View = TypeVar("_View", bound=Callable[..., object])
_MARK = "dermport_body"
_HEADERS = "dermport_headers"
BINARY = {"type": "string", "format": "binary"}
PHOTO = {**BINARY, "minLength": 1}


def form(**fields: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a multipart form with required `fields`, each a JSON Schema."""
    return {"multipart/form-data": {"schema": {"type": "object", "properties": fields, "required": list(fields)}}}


ONE_PHOTO = {**{kind: {"schema": PHOTO} for kind in PHOTO_TYPES}, **form(**{PHOTO_FIELD: PHOTO})}
# No type: one part, whatever it holds, is a list of one; and what it holds is answered for itself.
PHOTOS = form(**{PHOTO_FIELD: {"items": BINARY, "minItems": 1, "maxItems": MAX_BATCH}})


def takes(content: dict[str, Any]) -> Callable[[_View], _View]:
    """Say what a view takes: OpenAPI's ``content`` of its request body."""

    def mark(view: _View) -> _View:
        setattr(view, _MARK, content)
        return view

    return mark


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string", **schema}}


PREPARED = _header(
    PREP_HEADER, "the photo is a PNG that the sender has prepared: the model's very input", enum=[PREP_ID]
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


def json_response(answer: BaseModel, status: int = 200) -> Response:
    """Return a contract class as a JSON response, by the names that its schema has."""
    return JsonAnswer(answer.__pydantic_serializer__.to_json(answer, by_alias=True), status, content_type=_JSON)


class JsonAnswer(Response):
    """An answer that is whole, and as long as it says."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer; Werkzeug would look for what it could complete."""
        if environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        return self.iter_encoded()
