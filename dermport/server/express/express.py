"""The front process's end of the express lane: which worker a connection is lent to, and what comes back."""

from __future__ import annotations

import itertools
import json
import logging
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from waitress.wasyncore import dispatcher

from dermport.server.express import protocol
from dermport.server.express.permit import Permit

_LOG = logging.getLogger("dermport.express")
_RECALL_SECONDS = 5.0
_AT_ONCE = 64


class Answered(NamedTuple):
    """A request that a worker answered by itself.

    Attributes:
        permit: What it was answered under.
        request_id: Its id.
        bytes_in: Bytes of its body.
        milliseconds: By stage, as :class:`dermport.bundle.wire.Timing` names them.
    """

    permit: Permit
    request_id: str
    bytes_in: int
    milliseconds: Mapping[str, float]


class Connection(Protocol):
    """An open connection of the front process, as the lane needs it; all is called by the listener's own thread.

    Attributes:
        socket: The connection.
    """

    socket: socket.socket

    def lent(self) -> None:
        """Look after the connection no more."""
        ...

    def returned(self, received: bytes, unsent: bytes) -> None:
        """Look after the connection again: `received` was read of it, `unsent` is still to be written."""
        ...

    def lost(self) -> None:
        """Look after the connection again, whose worker died: nobody knows whether a request was being answered."""
        ...


class Loop(Protocol):
    """The listener, as the lane needs it.

    Attributes:
        sockets: What its loop looks after, by file number.
    """

    sockets: dict[int, Any]

    def answered(self, answered: Answered) -> None:
        """Log and count a request that a worker answered."""
        ...


class Lender(dispatcher):  # type: ignore[misc]  # waitress has no types
    """One worker's lane; its methods are for the listener's thread, but for :meth:`recall` and :meth:`join`.

    Args:
        lane: The front process's end.
    """

    _numbers = itertools.count(1)

    def __init__(self, lane: socket.socket) -> None:
        self._lane = lane
        self._loop: Loop | None = None
        self._lent: dict[int, tuple[Connection, Permit, bytearray, bytearray]] = {}
        self._recalled = False
        self._over = threading.Event()
        self._beginning = threading.Lock()  # between the first connection and the recall

    @property
    def lent(self) -> int:
        """How many connections the worker has."""
        return len(self._lent)

    def lend(self, connection: Connection, permit: Permit, loop: Loop) -> bool:
        """Lend a connection; return whether the worker takes it."""
        if not self._begin(loop):
            return False
        number = next(self._numbers)
        try:
            protocol.lend(self._lane, number, permit.to_json(), connection.socket)
        except OSError:
            return False
        self._lent[number] = (connection, permit, bytearray(), bytearray())
        connection.lent()
        return True

    def recall(self) -> None:
        """Have every connection given back, and lend none any more."""
        with self._beginning:
            self._recalled = True
            if self._loop is None:
                self._lane.close()
                self._over.set()
                return
        with suppress(OSError):  # the worker may be gone; the loop will see it
            self._lane.shutdown(socket.SHUT_WR)

    def join(self, seconds: float) -> bool:
        """Wait until every connection is back; return whether that is so."""
        return self._over.wait(seconds)

    def _begin(self, loop: Loop) -> bool:
        with self._beginning:
            if self._loop is None and not self._recalled:
                self._loop = loop
                dispatcher.__init__(self, self._lane, map=loop.sockets)
                self.connected = True
            return not self._recalled

    def writable(self) -> bool:
        """Whether something is to be written: no, what is lent goes out at once or not at all."""
        return False

    def handle_read(self) -> None:
        """Hear what the worker says."""
        for _ in range(_AT_ONCE):
            try:
                said = protocol.hear(self._lane)
            except BlockingIOError:
                return
            except OSError:
                said = None
            if said is None:
                self.handle_close()
                return
            self._heard(said)

    def handle_close(self) -> None:
        """Take note that the worker will say no more; what it still had is lost."""
        self.close()
        self._recalled = True
        lost, self._lent = self._lent, {}
        if lost:
            _LOG.warning("a worker ended with %d connections", len(lost))
        for connection, *_ in lost.values():
            connection.lost()
        self._over.set()

    def _heard(self, said: protocol.Said) -> None:
        if said.kind == protocol.ANSWERED:
            self._log(json.loads(said.data))
            return
        connection, _, received, unsent = self._lent[said.number]
        if said.kind == protocol.RECEIVED:
            received += said.data
        elif said.kind == protocol.UNSENT:
            unsent += said.data
        else:
            del self._lent[said.number]
            connection.returned(bytes(received), bytes(unsent))

    def _log(self, records: list[tuple[int, str, int, dict[str, float]]]) -> None:
        assert self._loop is not None
        for number, request_id, bytes_in, milliseconds in records:
            self._loop.answered(Answered(self._lent[number][1], request_id, bytes_in, milliseconds))


class Express:
    """The lanes of one model's workers.

    Args:
        most: Connections that one worker may have.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lenders: tuple[Lender, ...] = ()

    def add(self, lender: Lender) -> None:
        """Lend to this worker, too."""
        self._lenders = (*self._lenders, lender)

    def remove(self, lender: Lender) -> None:
        """Lend to this worker no more; what it has stays with it."""
        self._lenders = tuple(one for one in self._lenders if one is not lender)

    @property
    def lent(self) -> int:
        """How many connections the workers have."""
        return sum(lender.lent for lender in self._lenders)

    def lend(self, connection: Connection, permit: Permit, loop: Loop) -> bool:
        """Lend a connection to the worker that has the fewest; return whether one took it."""
        lender = min(self._lenders, key=lambda one: one.lent, default=None)
        return lender is not None and lender.lent < self._most and lender.lend(connection, permit, loop)

    def close(self) -> None:
        """Recall every connection and wait until they are back; not for the listener's own thread."""
        lenders, self._lenders = self._lenders, ()
        for lender in lenders:
            lender.recall()
        for lender in lenders:
            lender.join(_RECALL_SECONDS)
