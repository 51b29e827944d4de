"""One request and its answer: a body that is whole or an error, an answer that waits until it can be sent."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from gunicorn.http.body import LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.http.message import TOKEN_RE
from gunicorn.http.wsgi import HEADER_VALUE_RE, Response
from gunicorn.util import http_date, is_hoppish
from werkzeug.exceptions import BadRequest, ClientDisconnected

from dermport.errors import RequestError
from dermport.server.connections.connection import CHUNK, Connection, Doing
from dermport.server.problems import words_of

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Body:
    """A request's body as the app reads it (``wsgi.input``); all of it, or an error.

    Args:
        connection: Where it comes from.
        received: Called once all of it has come.
    """

    def __init__(self, connection: Connection, received: Callable[[], None]) -> None:
        self._connection = connection
        self._body = connection.request.body
        self._expected = connection.request.expects
        self._received = received
        reader = self._body.reader
        self._left = reader.length if isinstance(reader, LengthReader) else None
        self._ended = self._left == 0

    @property
    def is_here(self) -> bool:
        """Whether all of it was read ahead."""
        return self._left is not None and self._left <= self._connection.request.unreader.buf.getbuffer().nbytes

    def read(self, size: int | None = None) -> bytes:
        """Return `size` bytes, or all there are.

        Raises:
            RequestError: It did not come in time (408).
            BadRequest: It was cut, or its chunks are damaged.
        """
        size = -1 if size is None else size
        if self._left is None or self._left != self._body.reader.length:  # after a line, gunicorn may hold some of it
            return self._read(self._body.read, size)
        return self._read(self._body.reader.read, self._left if size < 0 else min(size, self._left))

    def readline(self, size: int | None = None) -> bytes:
        """Return a line of at most `size` bytes; errors as :meth:`read`."""
        return self._read(self._body.readline, -1 if size is None else size)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def finish(self) -> bool:
        """Throw away what has come of what the app did not read; return whether that was all."""
        if not self._ended and self.is_here:
            self.read()
        return self._ended

    def _read(self, read: Callable[[int], bytes], size: int) -> bytes:
        if self._ended or not size:
            return b""
        self._wait()
        try:
            data = read(size)
        except ParseException as error:
            raise BadRequest from error
        except OSError as error:  # of which NoMoreData is one
            raise self._cut() from error
        self._count(data, size, line=read == self._body.readline)
        return data

    def _wait(self) -> None:
        if not self.is_here and self._connection.state is not Doing.RECEIVING:
            self._connection.enter(Doing.RECEIVING)
            if self._expected and not self._connection.request.unreader.buf.getbuffer().nbytes:
                self._connection.sock.sendall(_CONTINUE)
        self._expected = False

    def _count(self, data: bytes, size: int, line: bool) -> None:
        if self._left is None:
            self._ended = not data or (size < 0 and not line)
        else:
            self._left -= len(data)
            self._ended = self._left == 0
            if not self._ended and (not data or (not line and (size < 0 or len(data) < size))):
                raise self._cut()
        if self._ended:
            if self._connection.state is Doing.RECEIVING:
                self._connection.enter(Doing.WORKING)
            self._received()

    def _cut(self) -> Exception:
        self._body.failed = True
        if not self._connection.too_slow:
            return ClientDisconnected()
        words = words_of(408)
        return RequestError(words.detail, code=words.code, status=408, remedy=words.remedy)


class PendingAnswer(Response):  # type: ignore[misc]  # gunicorn has no types
    """An answer that is kept until it can be sent, so that no thread waits for a slow reader."""

    def __init__(self, req: Any, sock: socket.socket, cfg: Any) -> None:
        super().__init__(req, sock, cfg)
        self.version = "dermport"
        self.headers_sent = False
        self.before_head: Callable[[], object] = bool
        self._out: list[bytes] = []

    def send_headers(self) -> None:
        """Keep the head, once."""
        if self.headers_sent:
            return
        self.before_head()
        fields = "".join([f"{name}: {value}\r\n" for name, value in self.headers])
        self._out.append(f"{''.join(self.default_headers())}{fields}\r\n".encode("latin-1"))
        self.headers_sent = True

    def default_headers(self) -> list[str]:
        """Return the status line, and the fields that are the connection's."""
        major, minor = self.req.version
        connection = "close" if self.should_close() else "keep-alive"
        return [
            f"HTTP/{major}.{minor} {self.status}\r\nServer: {self.version}\r\n",
            f"Date: {_date(int(time.time()))}\r\nConnection: {connection}\r\n",
            "Transfer-Encoding: chunked\r\n" if self.chunked else "",
        ]

    def close(self) -> None:
        """Keep what ends the answer."""
        self.send_headers()
        if self.chunked:
            self._out.append(b"0\r\n\r\n")
        if self.response_length is not None and self.sent < self.response_length and not self._omits_body:
            self.force_close()

    def pieces(self, written: Any) -> Iterator[bytes]:
        """Yield what is to be sent, in pieces of a useful size.

        Args:
            written: What the app returned.
        """
        try:
            size = 0
            for item in written:
                self.write(item)
                size += len(item)
                if size >= CHUNK:
                    yield self._taken()
                    size = 0
            self.close()
            yield self._taken()
        finally:
            if hasattr(written, "close"):
                written.close()

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        """Take the app's headers, of which gunicorn does not hear ``Connection: close``."""
        for name, value in headers:
            if _is_plain(name) and HEADER_VALUE_RE.fullmatch(value):
                self.headers.append((name, value.strip(" \t")))
                continue
            super().process_headers([(name, value)])
            if name.lower() == "connection" and value.lower() == "close":
                self.force_close()

    def _emit_body(self, data: bytes) -> None:
        self._out += (b"%X\r\n" % len(data), data, b"\r\n") if self.chunked else (data,)

    def _taken(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)


@lru_cache(maxsize=256)
def _is_plain(name: str) -> bool:
    """Whether a field of the app's answer is sent as it is."""
    return bool(TOKEN_RE.fullmatch(name)) and not is_hoppish(name) and name.lower() != "content-length"


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    written: str = http_date(second)
    return written
