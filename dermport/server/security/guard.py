"""What a request passes before its view, and before its body is read: who sends it, how often, and whether it may."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import flask
from flask import Flask, Request, Response

from dermport.errors import RequestError
from dermport.server.config import AccessConfig
from dermport.server.plain import plain
from dermport.server.security import cors, headers
from dermport.server.security.access import Access, Caller, scope_of
from dermport.server.security.limits import Allowance, Limits, is_unlimited, too_many
from dermport.server.security.proxy import network_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# As WSGI has them.
_FORWARDED = frozenset({"HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"})
_FORWARDED_START = "HTTP_X_FORWARDED"  # of names; that none holds it further on is no matter


def register(app: Flask, access: Access, limits: Limits, config: AccessConfig) -> None:
    """Put the guard before every view of `app`, and its headers on every answer; after request ids and problems.

    Without keys, only programs on this machine may ask, and web pages in its browser only if they are the server's own
    or of a listed origin: the address that a request names, and the page that it comes from, are looked at.
    """

    def admit() -> None:
        request, g = plain(flask.request), plain(flask.g)
        view = app.view_functions[request.endpoint] if request.endpoint else None
        caller = g.caller = access.identify(request.headers)
        _limit(limits, caller, view)
        if not access.enabled:
            _refuse_strangers(request, config.origins)
        # Flask answers OPTIONS itself; browsers ask it without credentials.
        if view and request.method != "OPTIONS":
            scope = scope_of(view)
            if scope:
                access.check(caller, scope)

    app.before_request(admit)
    app.after_request(_tell_allowance)
    headers.register(app)
    cors.register(app, config.origins)


def caller() -> Caller:
    """Return who sent the current request."""
    known: Caller = flask.g.get("caller", Caller())
    return known


def charge(more: int) -> None:
    """Have the current request count as that many more; for a view that has found out what it was asked.

    Raises:
        RequestError: 429: the caller has not so many left.
    """
    if more and (take := flask.g.get("charge")):
        take(more)


def _limit(limits: Limits, caller: Caller, view: Callable[..., object] | None) -> None:
    known = bool(caller.key_id or not caller.sent_key)
    if not limits.enabled or (known and view and is_unlimited(view)):
        return
    bucket, g = caller.key_id or network_of(flask.request.remote_addr or ""), plain(flask.g)

    def take(count: int) -> None:
        allowance = g.allowance = limits.take(bucket, count)
        if allowance and not allowance.taken:
            raise too_many(allowance)

    g.charge = take
    take(1)


def _tell_allowance(response: Response) -> Response:
    allowance: Allowance | None = plain(flask.g).get("allowance")
    if allowance:
        response.headers.update(allowance.headers())
    return response


def _refuse_strangers(request: Request, origins: tuple[str, ...]) -> None:
    """Refuse what came through a proxy, or at the wish of a web page that is not known here (DNS rebinding, CSRF)."""
    environ, host = request.environ, request.host
    origin = environ.get("HTTP_ORIGIN", "")
    known = not origin or origin == f"{request.scheme}://{host}" or origin in origins
    if not known or _is_from_elsewhere(environ) or not _is_this_machine(host):
        raise RequestError(
            "Without API keys this server answers only programs on its own machine.",
            code="not-local",
            status=403,
            remedy="Start it with keys (`dermport keys create`), or allow the page's origin.",
        )


def _is_from_elsewhere(environ: WSGIEnvironment) -> bool:
    """Whether a proxy says that it is one, or does not: nginx asks in HTTP/1.0 unless told to; programs do not."""
    says_so = not _FORWARDED.isdisjoint(environ) or _FORWARDED_START in " ".join(environ)
    old = environ.get("SERVER_PROTOCOL") == "HTTP/1.0"
    return says_so or old or not _is_this_machine(_as_host(environ.get("REMOTE_ADDR") or ""))


def _as_host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@lru_cache(maxsize=256)
def _is_this_machine(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
