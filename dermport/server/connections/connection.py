"""One client's connection: what was read ahead, what it is doing and since when, its request's body and answer."""

from __future__ import annotations

import enum
import re
import socket
import struct
import time
from collections.abc import Generator, Iterator
from io import SEEK_END, BytesIO
from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.body import Body as GunicornBody
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader
from gunicorn.util import http_date

from dermport.bundle.wire import PROBLEM_TYPE
from dermport.server.connections.bounds import ConnectionBounds
from dermport.server.problems import problem, words_of
from dermport.server.request_ids import HEADER, new_request_id

MAX_HEAD, MAX_LINE = 32 * 1024, 8190
CHUNK = 64 * 1024
# A line that ends without a carriage return is refused by the parser: no more of such a head is waited for.
_WHOLE = re.compile(rb"\r\n\r\n|(?<!\r)\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,15})\r\n", re.IGNORECASE)
_WAIT = struct.pack("ll", 1, 0)  # a timeval: as often, a thread that waits for a body looks at the clock


class Doing(enum.Enum):
    """What a connection is doing."""

    FRESH = "no byte has come yet"
    HEAD = "a request's head is coming"
    IDLE = "between two requests"
    PARKED = "a request waits for its turn to send its body"
    WORKING = "the app is at work"
    RECEIVING = "the app reads the body"
    SENDING = "the answer is being sent"
    LEAVING = "all was sent; what still comes is thrown away, so that the client reads the answer"


class Ahead(Unreader):  # type: ignore[misc]  # gunicorn has no types
    """What gunicorn's parser reads from: what was read ahead, then the connection.

    Args:
        connection: The connection.
    """

    buf: BytesIO

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Wait for more of the body; b"" where none will come, or not in time."""
        while not self._connection.is_too_slow():
            try:
                data = self._connection.sock.recv(min(max(size_hint or 0, 8192), 1024 * 1024))
            except BlockingIOError:  # after WAIT_SECONDS
                continue
            self._connection.moved += len(data)
            return data
        return b""

    def unread(self, data: bytes) -> None:
        """Have bytes that were read ahead be read first."""
        self.buf = BytesIO(data + self.buf.getvalue())
        self.buf.seek(0, SEEK_END)


class Head(Request):  # type: ignore[misc]  # gunicorn has no types
    """A request's head, read by gunicorn; of what a proxy may say, gunicorn believes nothing.

    Attributes:
        expects: Whether the client waits to be told that it may send the body. Gunicorn would tell it at once.
    """

    expects = False
    _expected_100_continue: bool
    _asks_to_close: bool | None = None
    _environ: dict[str, Any] | None = None

    def again(self, unreader: Ahead, length: str | None) -> Head:
        """Return the same head of another request, but for its length: who sends one photo sends more like it."""
        head = Head.__new__(Head)
        head.__dict__.update(self.__dict__)
        head.unreader, head.trailers = unreader, []
        if length is None:
            head.set_body_reader()
            return head
        head.headers = [(name, length if name == "CONTENT-LENGTH" else value) for name, value in self.headers]
        head.body = GunicornBody(LengthReader(unreader, int(length)))
        if self._environ is not None:
            head._environ = {**self._environ, "CONTENT_LENGTH": length}
        return head

    def environ(self, connection: Connection, settings: Any) -> dict[str, Any]:
        """Return the request as WSGI has it; to be changed at will."""
        if self._environ is None:
            _, self._environ = wsgi.create(self, connection.sock, connection.client, connection.server, settings)
            self._environ["wsgi.multithread"] = True
            del self._environ["wsgi.early_hints"]  # it would answer past us
        return {**self._environ, "wsgi.input": connection.body}

    def should_close(self) -> bool:
        """Whether the connection is to end with the answer."""
        if self._asks_to_close is None:
            self._asks_to_close = super().should_close()
        return self.must_close or self._asks_to_close

    def set_body_reader(self) -> None:
        """Find out where the body ends."""
        super().set_body_reader()
        self.expects = self.expects or self._expected_100_continue
        self._expected_100_continue = False

    def _peer_trusted_for_forwarded(self) -> tuple[dict[str, str], list[str]]:
        return {}, []


class Connection:
    """A client's connection; it belongs to one thread at a time.

    Args:
        sock: The connection's socket, blocking.
        bounds: What is expected of it.
        address: The peer's plain IP address.
        port: The peer's port.
        crowd: Whom it counts for, such as an IPv6 network; empty for a trusted proxy, which has no bounds of its own.

    Attributes:
        state: What it is doing.
        since: When it began to, seconds of ``time.monotonic``.
        moved: Bytes of a body, or of answers, that came or went.
        marked: When and at what count `moved` was last looked at.
        too_slow: Whether its request's body was given up.
        closes: Whether nothing follows the answer.
        request: The request that is being answered.
        body: Its :class:`Body`.
        answering: What is left to send.
        receives: Whether it holds one of its crowd's turns to send a body.
    """

    def __init__(self, sock: socket.socket, bounds: ConnectionBounds, address: str, port: int, crowd: str) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _WAIT)
        self.sock, self.fd = sock, sock.fileno()
        self._bounds = bounds
        self.client, self.server = (address, str(port)), sock.getsockname()
        self.crowd = crowd
        self.state, self.since = Doing.FRESH, time.monotonic()
        self.moved, self.marked = 0, (self.since, 0)
        self.too_slow = self.receives = self.closes = False
        self.request: Any = None
        self.body: Any = None
        self._known: tuple[bytes, bytes, Head] | None = None
        self.answering: Iterator[bytes] | None = None
        self._ahead = bytearray()
        self._unsent = memoryview(b"")

    def enter(self, state: Doing) -> None:
        """Begin to do something else."""
        self.state, self.since = state, time.monotonic()
        self.marked = self.since, self.moved

    def read_head(self) -> bool | None:
        """Read what has come, without waiting; return whether a whole head is there, None where none will come."""
        if self._ahead and _WHOLE.search(self._ahead):  # sent before the last answer was
            return True
        try:
            data = self.sock.recv(CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        if not data:
            return None
        if self.state is not Doing.HEAD:
            self.enter(Doing.HEAD)
        known = max(0, len(self._ahead) - 3)
        self._ahead += data
        return bool(_WHOLE.search(self._ahead, known)) or len(self._ahead) > MAX_HEAD

    def parse(self, settings: Any) -> int:
        """Take the request whose head has come as the one that is being answered.

        Args:
            settings: gunicorn's.

        Returns:
            The status of its refusal; 0 where it is a request.
        """
        found = _WHOLE.search(self._ahead)
        if found is None or found.start() > MAX_HEAD:
            return 431 if 0 <= self._ahead.find(b"\n") < MAX_LINE else 414
        head = bytes(self._ahead[: found.end()])
        before, length, after = _parted(head)
        ahead = Ahead(self)
        try:
            if self._known and self._known[:2] == (before, after):
                ahead.unread(bytes(self._ahead[found.end() :]))
                self.request = self._known[2].again(ahead, length)
            else:
                ahead.unread(bytes(self._ahead))
                self.request = Head(settings, ahead, self.client)
            self._known = before, after, self.request
        except (ParseException, NoMoreData, StopIteration) as error:
            return _STATUSES.get(type(error).__name__, 400)
        self._ahead.clear()
        return 0

    def ended(self) -> None:
        """Have the request answered; what was sent after it is the next one's."""
        self.forget_answer()
        if self.request is not None:
            self._ahead += self.request.unreader.take_buffered()
        self.request = None

    def refuse(self, status: int) -> None:
        """Answer with a problem document, and nothing after it."""
        self.closes = True
        self.answering = iter((refusal(status, bodiless=self._ahead.startswith(b"HEAD ")),))

    def send(self) -> bool:
        """Send what can be sent of the answer without waiting; return whether all of it is.

        Raises:
            OSError: The client is gone.
        """
        assert self.answering is not None
        while True:
            if not self._unsent:
                self._unsent = memoryview(next(self.answering, b""))
                if not self._unsent:
                    return True
            try:
                sent = self.sock.send(self._unsent, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            self.moved += sent
            self._unsent = self._unsent[sent:]

    def discard(self) -> bool:
        """Throw away what has come; return whether more may come."""
        try:
            while data := self.sock.recv(CHUNK, socket.MSG_DONTWAIT):
                self.moved += len(data)
        except BlockingIOError:
            return True
        return False

    def is_slow(self, seconds: float) -> bool:
        """Whether less than the least rate has come, or gone, for so many seconds."""
        then, moved = self.marked
        now = time.monotonic()
        if now - then < seconds:
            return False
        self.marked = now, self.moved
        return self.moved - moved < (now - then) * self._bounds.rate

    def is_too_slow(self) -> bool:
        """Whether the request's body takes too long; it is given up then."""
        late = time.monotonic() - self.since > self._bounds.body_seconds
        self.too_slow = self.too_slow or late or self.is_slow(self._bounds.slow_body_seconds)
        return self.too_slow

    def forget_answer(self) -> None:
        """Free what the answer held."""
        answering, self.answering = self.answering, None
        if isinstance(answering, Generator):
            answering.close()

    def close(self) -> None:
        """Close the connection, and free what its answer held."""
        self.forget_answer()
        self.sock.close()


def _parted(head: bytes) -> tuple[bytes, str | None, bytes]:
    """Return a head without the digits of its length, and these; a head that was taken has one length at most."""
    found = _LENGTH.search(head)
    return (head[: found.start(1)], found[1].decode(), head[found.end(1) :]) if found else (head, None, b"")


_STATUSES = {
    "LimitRequestLine": 414,
    "LimitRequestHeaders": 431,
    "ExpectationFailed": 417,
    "UnsupportedTransferCoding": 501,
}


def refusal(status: int, bodiless: bool = False) -> bytes:
    """Return an answer in the app's own form to what the app never sees; the connection ends with it."""
    request_id = new_request_id()
    document = problem(status, words_of(status), instance="", request_id=request_id)
    body = document.model_dump_json().encode()
    head = (
        f"HTTP/1.1 {status} {document.title}\r\nServer: dermport\r\nDate: {http_date()}\r\nConnection: close\r\n"
        f"Content-Type: {PROBLEM_TYPE}\r\nContent-Length: {len(body)}\r\nCache-Control: no-store\r\n"
        f"X-Content-Type-Options: nosniff\r\n{HEADER}: {request_id}\r\n"
    )
    if status == 503:
        head += "Retry-After: 1\r\n"
    return f"{head}\r\n".encode("latin-1") + (b"" if bodiless else body)
