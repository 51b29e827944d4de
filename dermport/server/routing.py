"""Flask without what no request of ours needs: coroutines, sessions, and the same way looked for again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Request
from flask.ctx import RequestContext
from flask.sessions import NullSession, SessionInterface
from flask_openapi3 import OpenAPI
from werkzeug.routing import MapAdapter, Rule

from dermport.server.upload import InMemoryRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# All that Werkzeug's Map.bind_to_environ and MapAdapter.match look at.
_LOOKED_AT = (
    *("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME"),
    *("wsgi.url_scheme", "HTTP_CONNECTION", "HTTP_UPGRADE"),
)
_MOST_PLACES = 256


@dataclass(frozen=True)
class Place:
    """Where requests go that are alike and name no variable part of an address."""

    adapter: MapAdapter
    host: str
    rule: Rule


class LeanApp(OpenAPI):
    """An app of functions that are no coroutines, without sessions, which knows where the last requests went."""

    request_class = InMemoryRequest

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.session_interface = _NoSessions()
        self._places: dict[tuple[Any, ...], Place] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is; Flask would look at each one in each request."""
        return func

    def request_context(self, environ: WSGIEnvironment) -> RequestContext:
        """Return the context of a request."""
        return _Context(self, environ)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds a request's view."""
        place = self._places.get(_key(request.environ)) if request else None
        if place is None:
            return super().create_url_adapter(request)
        found = cast(InMemoryRequest, request)
        found.host, found.place = place.host, place
        return place.adapter

    def remember(self, request: Request, place: Place) -> None:
        """Have requests like this one go to the same place."""
        if len(self._places) >= _MOST_PLACES:  # somebody makes hosts or queries up
            self._places.clear()
        self._places[_key(request.environ)] = place


class _Context(RequestContext):
    def match_request(self) -> None:
        request = cast(InMemoryRequest, self.request)
        if request.place:
            request.url_rule, request.view_args = request.place.rule, {}
            return
        super().match_request()
        if request.url_rule and not request.view_args and self.url_adapter:
            cast(LeanApp, self.app).remember(request, Place(self.url_adapter, request.host, request.url_rule))


def _key(environ: WSGIEnvironment) -> tuple[Any, ...]:
    return tuple(map(environ.get, _LOOKED_AT))


class _NoSessions(SessionInterface):
    """All requests have the same session, which holds nothing and takes nothing."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._none
