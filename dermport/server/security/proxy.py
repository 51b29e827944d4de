"""The sender's address behind a proxy: believed from proxies on a list, and from nobody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from dermport.errors import UsageError
from dermport.server.config import AccessConfig

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def trust_proxies(app: Flask, addresses: tuple[str, ...]) -> None:
    """Believe X-Forwarded-For and X-Forwarded-Proto of requests that come from `addresses`, one proxy deep.

    Everybody else's are ignored, as anyone can send them. The proxy must set both, not add to what it was sent: see
    deploy/nginx.conf.

    Args:
        app: The app.
        addresses: Addresses or networks (``127.0.0.1``, ``10.0.0.0/8``); none for no proxy.

    Raises:
        UsageError: An address is none.
    """
    if addresses:
        networks = [_network(address) for address in addresses]
        app.wsgi_app = _TrustedProxies(app.wsgi_app, networks)  # type: ignore[method-assign]


class _TrustedProxies:
    def __init__(self, wsgi: WSGIApplication, networks: list[_Network]) -> None:
        self._plain = wsgi
        self._fixed = ProxyFix(wsgi, x_for=1, x_proto=1)
        self._networks = networks

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        wsgi: Any = self._fixed if self._is_trusted(environ.get("REMOTE_ADDR", "")) else self._plain
        answer: Iterable[bytes] = wsgi(environ, start_response)
        return answer

    def _is_trusted(self, sender: str) -> bool:
        try:
            address = ipaddress.ip_address(sender)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _network(address: str) -> _Network:
    try:
        return ipaddress.ip_network(address)
    except ValueError as error:
        raise UsageError(
            f"{address} is no IP address or network.",
            remedy="Name the proxy's, e.g. {trusted_proxies} 127.0.0.1.",
            of=AccessConfig,
        ) from error
