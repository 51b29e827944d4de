"""Where connections come in."""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dermport.server.connections.connection import Connection
from dermport.server.security.proxy import address_of, network_of

if TYPE_CHECKING:
    from dermport.server.worker import Worker

_LOG = logging.getLogger("dermport.listener")
_HOLD_BACK = 0.02
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Gate:
    """Where connections come in: in turns with the other workers, within bounds.

    Args:
        worker: Whose they are.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._board = worker.asked.board
        self._trusted: Callable[[str], bool] = worker.asked.trusted
        self._closed_until = 0.0
        self._held: float | None = None
        self._told = -60.0
        self._poll = select.poll()
        self._poll.register(worker.PIPE[0], select.POLLIN)
        self._doors = {one.fileno(): one for one in worker.sockets}
        self._open = False
        for door in self._doors.values():
            door.setblocking(False)
        self.count()

    def wait(self, seconds: float) -> None:
        """Let in what comes within so many seconds; return early where something did, or a signal."""
        now = time.monotonic()
        holding = self._held is not None and now - self._held < _HOLD_BACK and self._has_more()
        self._set(now >= self._closed_until and not holding)
        knocked = False
        for fd, _ in self._poll.poll(1000 * (_HOLD_BACK / 4 if holding else seconds)):
            if fd in self._doors:
                knocked = True
                self._hear(self._doors[fd])
            else:
                os.read(fd, 4096)
        if self._open and not knocked:
            self._held = None

    def close(self) -> None:
        """Let nobody in any more."""
        self._set(False)
        self._board[self._worker.seat] = -1
        for door in self._doors.values():
            door.close()
        self._doors = {}

    def count(self) -> None:
        """Tell the other workers how many connections there are."""
        if self._worker.alive:
            self._board[self._worker.seat] = len(self._worker.connections)

    def _has_more(self) -> bool:
        """Whether another worker has fewer connections."""
        mine = len(self._worker.connections)
        others = (count for seat, count in enumerate(self._board) if count >= 0 and seat != self._worker.seat)
        return mine > min(others, default=mine)

    def _hear(self, door: socket.socket) -> None:
        if self._held is None and self._has_more():
            self._held = time.monotonic()  # for a moment, the others may let this one in
        else:
            self._held = None
            self._let_in(door)

    def _set(self, opened: bool) -> None:
        if opened != self._open:
            for fd in self._doors:
                if opened:
                    self._poll.register(fd, select.POLLIN)
                else:
                    self._poll.unregister(fd)
            self._open = opened

    def _let_in(self, door: socket.socket) -> None:
        try:
            sock, (host, port, *_) = door.accept()
        except OSError as error:
            if error.errno in _NO_DESCRIPTOR:
                self._pause(error)
            return
        sock.setblocking(True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = address_of(host)
        crowd = "" if self._trusted(address) else network_of(address)
        self._admit(Connection(sock, self._worker.bounds, address, port, crowd))

    def _admit(self, connection: Connection) -> None:
        worker = self._worker
        evicted = worker.crowds.add(connection)
        worker.connections[connection.fd] = connection
        if evicted is connection:
            worker.epoll.register(connection.fd, 0)
            worker.refuse(connection, 503)
            return  # closed, or counted with the next one
        if evicted is None and len(worker.connections) > worker.bounds.connections:
            evicted = worker.crowds.largest()
        worker.take(connection)
        if evicted is not None and worker.armed.pop(evicted.fd, None) is evicted:
            worker.close(evicted)
        self.count()

    def _pause(self, error: OSError) -> None:
        now = time.monotonic()
        self._closed_until = now + self._worker.bounds.accept_pause
        if now - self._told > 60:
            self._told = now
            _LOG.warning("no more connections can be taken for now: %s", os.strerror(error.errno or 0))
