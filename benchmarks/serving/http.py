"""As much HTTP/1.1 as a load generator needs: requests as bytes, and where an answer ends."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_END = b"\r\n\r\n"


class HTTPError(Exception):
    """What came is no answer of known length."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def connect(self, timeout: float) -> socket.socket:
        connection = socket.create_connection((self.host, self.port), timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


@dataclass(frozen=True)
class ResponseHead:
    """The first part of an answer.

    Attributes:
        status: 200, say.
        begin: Where the body begins.
        end: Where the answer ends.
        close: Whether the server closes the connection after it.
    """

    status: int
    begin: int
    end: int
    close: bool


def request_bytes(method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """Return a whole request on a connection that is kept open."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def form_bytes(parts: Sequence[tuple[str, str, bytes]]) -> tuple[str, bytes]:
    """Return media type and body of a form of (name, media type, content)."""
    mark, body = "benchmark-7d1f0c", b""
    for name, media, content in parts:
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\nContent-Type: {media}'
        body += head.encode() + _END + content + b"\r\n"
    return f"multipart/form-data; boundary={mark}", body + f"--{mark}--\r\n".encode()


def read_head(data: bytes | bytearray) -> ResponseHead | None:
    """Return the head of an answer of which `data` is the beginning; None where its end has not arrived.

    Raises:
        HTTPError: It is not HTTP/1, or does not say its length.
    """
    begin = data.find(_END)
    if begin < 0:
        return None
    status, length = _STATUS.match(data), _LENGTH.search(data, 0, begin)
    if status is None or (length is None and status[1] != b"204"):
        raise HTTPError(f"not an answer with a Content-Length: {bytes(data[:begin])!r}")
    begin += len(_END)
    end = begin + (int(length[1]) if length else 0)
    return ResponseHead(int(status[1]), begin, end, _CLOSE.search(data, 0, begin) is not None)


def ask(address: Address, request: bytes, timeout: float) -> tuple[int, bytes]:
    """Send one request on a connection of its own and return status and body.

    Raises:
        OSError: The server is not there, takes longer than `timeout` seconds, or closes the connection too early.
        HTTPError: It answers something else.
    """
    with address.connect(timeout) as connection:
        return exchange(connection, request)


def exchange(connection: socket.socket, request: bytes) -> tuple[int, bytes]:
    """Send one request on an open connection and return status and body; errors as :func:`ask`."""
    data = bytearray()
    connection.sendall(request)
    while (head := read_head(data)) is None or len(data) < head.end:
        block = connection.recv(1 << 16)
        if not block:
            raise ConnectionResetError("closed before the whole answer had come")
        data += block
    return head.status, bytes(data[head.begin : head.end])
