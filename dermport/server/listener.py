"""Serving: where to listen, and gunicorn's arbiter over as many workers as are asked for, each with the whole app."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dermport.errors import UsageError
from dermport.server.connections.bounds import ConnectionBounds
from dermport.server.security.proxy import among

if TYPE_CHECKING:
    from flask import Flask

_LOG = logging.getLogger("dermport.listener")
DRAIN_SECONDS = 28.0
_BACKLOG = 1024
# What one client that does not read its answer may hold of the kernel's memory; it is also what a slow one shows its
# progress by.
_SEND_BUFFER = 256 * 1024
_DESCRIPTORS = 64 * 1024
_SPARE_DESCRIPTORS = 128  # of a worker: threads' files, the database, the model
# Names that stand for this machine, or for all its addresses, in either family.
_BOTH = {"localhost": ("127.0.0.1", "::1"), "::": ("0.0.0.0", "::")}
_MISSING = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_ATTEMPTS = 5
_REMEDIES: dict[int | None, str] = {
    errno.EADDRINUSE: "Another program listens there. Stop it, or choose another {port} (0: a free one).",
    errno.EACCES: "Choose a {port} from 1024 on; those below are the system's.",
    errno.EADDRNOTAVAIL: "This machine has no such address. Choose another {host}.",
}
# What gunicorn would read, were it asked to; some of it when it is imported.
_GUNICORNS = (
    *("FORWARDED_ALLOW_IPS", "GUNICORN_CMD_ARGS", "GUNICORN_FD", "GUNICORN_PID", "LISTEN_FDS", "LISTEN_PID"),
    *("PORT", "SCRIPT_NAME", "SENDFILE", "WEB_CONCURRENCY"),
)


@dataclass(frozen=True)
class ListenConfig:
    """Where a server listens, and how.

    Attributes:
        host: An address, or a name that may have several; all of them are listened on. ``::`` takes IPv4, too.
        port: The port; 0 takes a free one.
        workers: Processes.
        threads: Requests that one of them reads, answers or has waiting at the same time.
        trusted_proxies: Addresses or networks of proxies, which may have any number of connections.
        start_seconds: How long a worker may take to make the app.
        answer_seconds: How long the app may take for a request before its worker is replaced.
        silent_seconds: How long a worker may show no sign of life before it is killed.
        drain_seconds: How long what is being answered may take once the server is told to stop.
        bounds: What connections may take.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    threads: int = 72
    trusted_proxies: tuple[str, ...] = ()
    start_seconds: float = 60.0
    answer_seconds: float = 120.0
    silent_seconds: float = 15.0
    drain_seconds: float = DRAIN_SECONDS - 3
    bounds: ConnectionBounds = field(default_factory=ConnectionBounds)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(
    create_app: Callable[[], Flask],
    listen: ListenConfig,
    announce: Callable[[tuple[str, ...]], None],
    ended: Callable[[int], None] = lambda pid: None,
) -> None:
    """Serve until SIGTERM or SIGINT; what is being answered then is still answered.

    Args:
        create_app: Makes the app, in each worker; its error ends the server before it is ready.
        listen: Where and how.
        announce: Called in this process with all addresses, once all workers are ready.
        ended: Called in this process with the process id of a worker that is gone.

    Raises:
        UsageError: An address cannot be bound.
        DermportError: The app cannot be made.
    """
    environ = dict(os.environ)
    for name in (*_GUNICORNS, "NOTIFY_SOCKET"):
        os.environ.pop(name, None)
    from dermport.server.arbiter import Application, Arbiter, Asked

    listen = _raise_descriptors(listen)
    doors = bind(listen.host, listen.port)
    asked = Asked(create_app, listen, among(listen.trusted_proxies))
    urls = tuple(map(_url, doors))
    arbiter = Arbiter(Application(asked), doors, lambda: announce(urls), ended, environ)
    mine = os.getpid()
    try:
        arbiter.run()
    except SystemExit as error:
        if os.getpid() != mine:  # a worker, which must not go on as if it were the server
            os._exit(error.code if isinstance(error.code, int) else 1)
    if arbiter.failure:
        raise arbiter.failure


def bind(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on all addresses of `host`, on one port.

    Raises:
        UsageError: None can be bound, or one is in use.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return _bind_all(host, port)
        except (OSError, ValueError, OverflowError) as error:
            number = error.errno if isinstance(error, OSError) else None
            if port == 0 and number == errno.EADDRINUSE and attempt + 1 < _ATTEMPTS:
                continue  # what was free for one family was not for the other
            raise UsageError(
                f"{host} port {port} cannot be bound: {error}.",
                remedy=_REMEDIES.get(number, "Choose another {host} or {port} (0: a free one)."),
                of=ListenConfig,
            ) from error
    raise AssertionError


def _bind_all(host: str, port: int) -> list[socket.socket]:
    doors: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            try:
                doors.append(_door(family, address, doors[0].getsockname()[1] if doors else port))
            except OSError as error:
                if error.errno not in _MISSING or family is not socket.AF_INET6 or host not in _BOTH:
                    raise
                _LOG.warning("%s is not listened on: %s", address, os.strerror(error.errno or 0))
    except OSError:
        for door in doors:
            door.close()
        raise
    return doors


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    if host in _BOTH:
        return [(socket.AF_INET, _BOTH[host][0]), (socket.AF_INET6, _BOTH[host][1])]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((family, str(address[0])) for family, *_, address in found))


def _door(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    door = socket.create_server((address, port), family=family, backlog=_BACKLOG)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    return door


def _url(door: socket.socket) -> str:
    host, port, *_ = door.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _raise_descriptors(listen: ListenConfig) -> ListenConfig:
    """Return the bounds that the system's own leave room for, which are raised to what this user may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    room = max(16, most - _SPARE_DESCRIPTORS - listen.threads)
    return replace(listen, bounds=replace(listen.bounds, connections=min(listen.bounds.connections, room)))
