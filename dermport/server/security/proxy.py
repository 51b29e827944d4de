"""Who asks: an address, which behind a proxy is believed from proxies on a list, and from nobody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Flask

from dermport.errors import UsageError
from dermport.server.config import AccessConfig

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SCHEMES = ("http", "https")


def trust_proxies(app: Flask, addresses: tuple[str, ...]) -> None:
    """Believe X-Forwarded-For and X-Forwarded-Proto of requests that come from `addresses`, one proxy deep.

    Everybody else's are left where they are, for the guard to see. The proxy must set both, not add to what it was
    sent: see deploy/nginx.conf.

    Args:
        app: The app.
        addresses: Addresses or networks (``127.0.0.1``, ``10.0.0.0/8``); none for no proxy.

    Raises:
        UsageError: An address is none.
    """
    if addresses:
        app.wsgi_app = _TrustedProxies(app.wsgi_app, among(addresses))  # type: ignore[method-assign]


def among(addresses: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that says whether an address is one of `addresses`, which may be networks.

    Raises:
        UsageError: One of them is none.
    """
    networks = [_network(address) for address in addresses]

    def is_among(address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in networks)

    return is_among


def address_of(text: str) -> str:
    """Return an IP address without port, brackets or zone, an IPv4 one inside IPv6 as itself; "" where it is none."""
    plain = text.strip().strip('"')
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(plain.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def network_of(address: str) -> str:
    """Return what one subscriber has: an IPv4 address, or the /64 of an IPv6 one."""
    plain = address_of(address)
    return str(ipaddress.ip_network(f"{plain}/64", strict=False)) if ":" in plain else plain or address


class _TrustedProxies:
    def __init__(self, wsgi: WSGIApplication, is_trusted: Callable[[str], bool]) -> None:
        self._wsgi = wsgi
        self._is_trusted = is_trusted

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._is_trusted(environ.get("REMOTE_ADDR", "")):
            # The last entry is the proxy's own; what stands before it was the sender's to write.
            address = address_of(environ.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2])
            scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
            environ["REMOTE_ADDR"] = address or environ["REMOTE_ADDR"]
            if scheme in _SCHEMES:
                environ["wsgi.url_scheme"] = scheme
        return self._wsgi(environ, start_response)


def _network(address: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(address)
    except ValueError as error:
        raise UsageError(
            f"{address} is no IP address or network.",
            remedy="Name the proxy's, e.g. {trusted_proxies} 127.0.0.1.",
            of=AccessConfig,
        ) from error
