"""A connection as waitress keeps it, with what a clinic's server needs besides: limits, problems, the express lane."""

from __future__ import annotations

import time
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error, ServerNotImplemented

from dermport.bundle.wire import PROBLEM_TYPE
from dermport.server.express.heads import read_head
from dermport.server.express.offer import Offer, offered
from dermport.server.problems import problem, words_of
from dermport.server.request_ids import new_request_id

# What all requests that are being received may hold together. They are kept in memory, never in a file: a photo's EXIF
# is nothing to leave on a disk.
MAX_RECEIVING = 512 * 1024 * 1024
# A request that is not complete after so long is given up: a photo of 3 MB at 0.5 Mbit/s takes 50 s.
REQUEST_SECONDS = 60


class _TooSlowError(Error):  # type: ignore[misc]  # waitress has no types
    code = 408
    reason = "Request Timeout"


class _UnavailableError(Error):  # type: ignore[misc]  # waitress has no types
    code = 503
    reason = "Service Unavailable"


class _NoLengthError(Error):  # type: ignore[misc]  # waitress has no types
    code = 411
    reason = "Length Required"


class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Takes no transfer encodings: memory is counted before it is filled, and all agree on where a body ends.

    Attributes:
        head: The request's head, to the blank line that ends it.
    """

    error: Error | None
    head = b""

    def received(self, data: bytes) -> int:
        """Take in what arrived; return how much of it is this request's."""
        consumed = int(super().received(data))
        if self.chunked or isinstance(self.error, ServerNotImplemented):
            self.error = _NoLengthError("the body's length is not said")
            self.completed = True
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head; waitress turns a ParsingError into an answer."""
        self.head = header_plus
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # Python takes no number of thousands of digits
            raise ParsingError("Content-Length is invalid") from error


class _ProblemTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Answers what waitress refuses before the app sees it (too large, too slow, not HTTP) in the app's own form."""

    def execute(self) -> None:
        status = self.request.error.code
        document = problem(
            status, words_of(status), instance=getattr(self.request, "path", ""), request_id=new_request_id()
        )
        body = document.model_dump_json().encode()
        self.status = f"{status} {document.title}"
        self.response_headers.append(("Content-Type", PROBLEM_TYPE))
        if status == _UnavailableError.code:
            self.response_headers.append(("Retry-After", "1"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)
        self.channel.server.refused(status)


class _Task(WSGITask):  # type: ignore[misc]  # waitress has no types
    """Answers a request by the app, and keeps what the app offers for those that follow."""

    def execute(self) -> None:
        super().execute()
        made = offered(self.environ)
        if made is not None and self.status == "200 OK" and self.version == "1.1" and not self.close_on_finish:
            self.channel.allow(made, self.request.head, self.status, self.response_headers)


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection on which a request has to be complete in time, and to fit into memory beside the others.

    It is a :class:`dermport.server.express.express.Connection`, too.
    """

    parser_class = Parser
    task_class = _Task
    error_task_class = _ProblemTask
    begun = 0.0
    request: Any
    _allowed: tuple[Offer, bytes, str, list[tuple[str, str]]] | None = None
    _asked = b""  # the head, but for what varies, of the request before

    def received(self, data: bytes) -> bool:
        """Take in what arrived."""
        if self.request is None:
            self.begun = time.monotonic()
        received = bool(super().received(data))
        if self.request is not None and self._promised() > MAX_RECEIVING:
            self._give_up(_UnavailableError("too much is being received"))
        return received

    def readable(self) -> bool:
        """Whether more should be read; the loop asks before it waits, so that this is where a connection is let go."""
        if self.request is not None and time.monotonic() - self.begun > REQUEST_SECONDS:
            self._give_up(_TooSlowError("the request was not complete in time"))
        if self._allowed is not None and self._is_idle() and self._lend():
            return False
        return bool(super().readable())

    def allow(self, made: Offer, head: bytes, status: str, fields: list[tuple[str, str]]) -> None:
        """Have the connection lent once it is idle, where two requests in a row had the same head.

        Args:
            made: What the app offered.
            head: The request's head.
            status: The answer's status.
            fields: The answer's fields.
        """
        plain = read_head(head)
        asked, self._asked = self._asked, plain.same if plain else b""
        if plain and plain.same == asked:
            self._allowed = made, plain.same, status, list(fields)

    def lent(self) -> None:
        """Let the listener look after the connection no more."""
        self.del_channel()

    def returned(self, received: bytes, unsent: bytes) -> None:
        """Have the listener look after the connection again."""
        self._look_after_again()
        if unsent:
            self.write_soon(unsent)
        if received:
            self.received(received)

    def lost(self) -> None:
        """Tell the client that its request may not have been answered: the worker that had it is gone."""
        self._look_after_again()
        self._refuse(self.parser_class(self.adj), _UnavailableError("the worker is gone"))

    def _look_after_again(self) -> None:
        self._fileno = self.socket.fileno()
        self.last_activity = time.time()
        self.add_channel()

    def _is_idle(self) -> bool:
        busy = self.request is not None or self.requests or self.total_outbufs_len
        return bool(self.connected and not (busy or self.will_close or self.close_when_flushed))

    def _lend(self) -> bool:
        assert self._allowed is not None
        (made, same, status, fields), self._allowed = self._allowed, None
        return made.express.lend(self, made.permit(same, status, fields), self.server.loop)

    def _promised(self) -> int:
        """Return the bytes that all requests being received now will have."""
        receiving = (channel.request for channel in tuple(self.server.active_channels.values()))
        return sum(request.content_length for request in receiving if request is not None)

    def _give_up(self, why: Error) -> None:
        with self.requests_lock:
            request, self.request = self.request, None
        self._refuse(request, why)

    def _refuse(self, request: Parser, why: Error) -> None:
        request.error = why
        request.completed = True
        with self.requests_lock:
            self.requests.append(request)
            if len(self.requests) == 1:
                self.server.add_task(self)
