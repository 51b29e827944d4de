"""A path that everything is below, such as ``/dermport``, where a proxy has other things beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask

from dermport.errors import UsageError
from dermport.server.config import AccessConfig
from dermport.server.security.proxy import among

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# No empty or dotted part: a redirect below it must not lead to another host or folder.
_PATH = re.compile(r"(/(?!\.+(/|$))[A-Za-z0-9._~-]+)+", re.ASCII)


def mount(app: Flask, prefix: str, trusted: tuple[str, ...]) -> None:
    """Have `app` live below a path, whether the proxy takes it off or leaves it on; after the proxies are trusted.

    Args:
        app: The app.
        prefix: The path; empty for none. X-Forwarded-Prefix of a trusted proxy comes before it.
        trusted: The proxies' addresses or networks.

    Raises:
        UsageError: The path is none.
    """
    plain = prefix.rstrip("/")
    if plain and not _PATH.fullmatch(plain):
        raise UsageError(f"{{prefix}} {prefix} is no path.", remedy="It looks like /dermport.", of=AccessConfig)
    if plain or trusted:
        app.wsgi_app = _Mounted(app.wsgi_app, plain, trusted)  # type: ignore[method-assign]


class _Mounted:
    def __init__(self, wsgi: WSGIApplication, prefix: str, trusted: tuple[str, ...]) -> None:
        self._wsgi = wsgi
        self._prefix = prefix
        self._is_trusted = among(trusted)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if prefix := self._said(environ) or self._prefix:
            path = environ.get("PATH_INFO", "")
            if f"{path}/".startswith(f"{prefix}/"):
                environ["PATH_INFO"] = path[len(prefix) :] or "/"
            environ["SCRIPT_NAME"] = prefix
        return self._wsgi(environ, start_response)

    def _said(self, environ: WSGIEnvironment) -> str:
        said: str = environ.get("HTTP_X_FORWARDED_PREFIX", "").strip().rstrip("/")
        return said if _PATH.fullmatch(said) and self._is_trusted(environ.get("REMOTE_ADDR", "")) else ""
