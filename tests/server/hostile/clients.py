"""Clients as they should not be, each on a connection of its own: the building blocks of attacks."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

PROMISE = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


def connect(url: str, source: str = "", seconds: float = 10.0) -> socket.socket:
    """Return a connection to a server.

    Args:
        url: The server's.
        source: The address to come from, such as 127.0.0.2; "" for any.
        seconds: How long to wait for anything.
    """
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), seconds, (source, 0) if source else None)


@contextmanager
def many(url: str, count: int, first: bytes = b"", source: str = "") -> Iterator[list[socket.socket]]:
    """Hold connections open, each of which has sent `first`: idle ones, promises, the beginnings of heads."""
    with ExitStack() as stack:
        held = []
        for _ in range(count):
            with suppress(OSError):
                held.append(stack.enter_context(connect(url, source)))
                held[-1].sendall(first)
        yield held


def drip(connection: socket.socket, data: bytes, seconds: float, gap: float = 0.05) -> None:
    """Send a byte at a time until the server has enough of it."""
    until = time.monotonic() + seconds
    with suppress(OSError):
        for place in range(len(data)):
            if time.monotonic() > until:
                return
            connection.sendall(data[place : place + 1])
            time.sleep(gap)


def everything(connection: socket.socket) -> bytes:
    """Return what the server sends until it closes, or is silent for the connection's timeout."""
    received = b""
    with suppress(OSError):
        while data := connection.recv(65536):
            received += data
    return received


def statuses(received: bytes) -> list[int]:
    """Return the statuses of the answers in what a connection received."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


def ask(url: str, sent: bytes, source: str = "") -> bytes:
    """Send a request on a connection of its own; return all that comes back."""
    with connect(url, source) as connection:
        connection.sendall(sent)
        return everything(connection)


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def joined(parts: Iterable[bytes]) -> bytes:
    """Return a chunked body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
