"""A process that answers requests: gunicorn's arbiter keeps it alive, its threads wait for requests at one epoll.

Why not gunicorn's own threads: each connection would hold one until its request is there, each request would be handed
from thread to thread twice, and bodies and answers would have no time.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType, SimpleNamespace
from typing import Any, ClassVar

from gunicorn.workers.base import Worker as GunicornWorker

from dermport.server.connections.bounds import ConnectionBounds
from dermport.server.connections.connection import Connection, Doing, refusal
from dermport.server.connections.crowds import Crowds
from dermport.server.connections.exchange import Body, PendingAnswer
from dermport.server.connections.gate import Gate
from dermport.server.connections.threads import Threads
from dermport.server.hooks import WORKER_HOOKS, WorkerHooks

_LOG = logging.getLogger("dermport.listener")
_TICK = 0.2
_LINGER = 1.0  # of a kept connection, while draining: its next request may be on the way
_READ, _WRITE = select.EPOLLIN | select.EPOLLONESHOT, select.EPOLLOUT | select.EPOLLONESHOT


class Worker(GunicornWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker process.

    Attributes:
        seat: Its place on the board.
        asked: What the arbiter hands on: a :class:`.server.arbiter.Asked`.
    """

    seat = 0
    alive: bool
    _drain_since = 0.0
    _next_look = 0.0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.asked = self.app.asked
        self.bounds: ConnectionBounds = self.asked.listen.bounds
        self.hooks = WorkerHooks()

    # --- a worker's life, as gunicorn asks for it ---

    def init_signals(self) -> None:
        """Leave SIGINT, which a terminal sends to all, to the arbiter."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain."""
        self.alive = False

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """End at once."""
        os._exit(0)

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """End at once: the arbiter has seen no sign of life."""
        os._exit(1)

    def load_wsgi(self) -> None:
        """Make the app, or tell the arbiter why that cannot be."""
        try:
            with self._showing_life(self.asked.listen.start_seconds):
                super().load_wsgi()
        except Exception as error:
            self.asked.tell(self.pid, error)
            os._exit(0)  # gunicorn would say of any other code what the arbiter says better
        self.hooks = self.wsgi.extensions.get(WORKER_HOOKS, self.hooks)

    @contextmanager
    def _showing_life(self, seconds: float) -> Iterator[None]:
        over = threading.Event()

        def show() -> None:
            until = time.monotonic() + seconds
            while time.monotonic() < until and not over.wait(1):
                self.notify()

        threading.Thread(target=show, name="starting", daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def run(self) -> None:
        """Answer requests until told to stop, then what is being answered; the process ends with it."""
        self.settings = _settled(self.cfg)
        self.crowds = Crowds(self.bounds, self.asked.listen.threads)
        self.connections: dict[int, Connection] = {}
        self.armed: dict[int, Connection] = {}
        self.epoll = select.epoll()
        self.threads = Threads(self.asked.listen.threads, self._next)
        self.gate = Gate(self)
        self.threads.start()
        self.asked.tell(self.pid)
        while self.alive:
            self._turn()
        self.gate.close()
        self._drain_since = time.monotonic()
        self._drain()
        self.hooks.close()
        logging.shutdown()
        os._exit(0)

    def _turn(self) -> None:
        self.gate.wait(max(0.0, self._next_look - time.monotonic()))
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _TICK
        stuck = self._is_stuck()
        if not stuck:
            self.notify()
        elif self.alive:
            _LOG.error("A request is not answered in its time: worker %d is replaced.", self.pid)
            self.alive = False
        for connection in tuple(self.connections.values()):
            self._look_at(connection)

    def _is_stuck(self) -> bool:
        limit = time.monotonic() - self.asked.listen.answer_seconds
        return self.hooks.stuck() or any(
            one.state is Doing.WORKING and one.since < limit for one in tuple(self.connections.values())
        )

    def _drain(self) -> None:
        until = self._drain_since + self.asked.listen.drain_seconds
        while self.connections and time.monotonic() < until:
            self._turn()

    # --- time: the main thread looks at all connections in turn ---

    def _look_at(self, connection: Connection) -> None:
        late = self._lateness(connection)
        if late is None or self.armed.pop(connection.fd, None) is not connection:
            return
        if late:
            self.refuse(connection, late)
        else:
            self.close(connection)

    def _lateness(self, one: Connection) -> int | None:
        """Return the status that a connection is given up with, 0 for none; None where it may go on."""
        bounds, age = self.bounds, time.monotonic() - one.since
        if not self.alive and one.state in (Doing.IDLE, Doing.FRESH):
            age = time.monotonic() - max(one.since, self._drain_since)
            return 0 if age > _LINGER else None
        if one.state is Doing.IDLE:
            return 0 if age > bounds.idle_seconds else None
        if one.state in (Doing.FRESH, Doing.HEAD) and age > bounds.head_seconds:
            return 408 if one.state is Doing.HEAD else 0
        if one.state is Doing.PARKED and age > bounds.turn_seconds and self.crowds.leave(one):
            self.armed[one.fd] = one
            return 503
        if one.state is Doing.SENDING and one.is_slow(bounds.slow_answer_seconds):
            return 0
        leave = bounds.leave_seconds if self.alive else _LINGER
        return 0 if one.state is Doing.LEAVING and age > leave else None

    # --- a request's way, in one thread ---

    def _next(self) -> None:
        """Wait for a connection that can go on, and take it on; called by the threads, over and over."""
        self.threads.wait()
        events = self.epoll.poll(-1, 1)
        self.threads.go()
        for fd, _ in events:
            connection = self.armed.pop(fd, None)
            if connection is not None:
                self.go_on(connection)

    def go_on(self, connection: Connection) -> None:
        """Do what a connection of the caller's can do without waiting for its client."""
        try:
            while self._steps[connection.state](self, connection):
                pass
        except OSError:  # the client is gone
            self.close(connection)
        except Exception:
            _LOG.exception("a connection failed")
            self.close(connection)

    def _read(self, connection: Connection) -> bool:
        whole = connection.read_head()
        if whole is None:
            self.close(connection)
        elif not whole:
            self._arm(connection, _READ)
        else:
            return self._begin(connection)
        return False

    def _begin(self, connection: Connection) -> bool:
        status = connection.parse(self.settings)
        if status:
            self.refuse(connection, status)
            return False
        connection.enter(Doing.PARKED)
        connection.body = Body(connection, partial(self._received, connection))
        return connection.body.is_here or self.crowds.join(connection)

    def _received(self, connection: Connection) -> None:
        released = self.crowds.part(connection)
        if released is not None:
            self._arm(released, _WRITE)  # at once: another thread takes it on

    def _answer(self, connection: Connection) -> bool:
        connection.enter(Doing.WORKING)
        answer = PendingAnswer(connection.request, connection.sock, self.settings)
        environ = connection.request.environ(connection, self.settings)
        answer.before_head = partial(self._decide_end, connection, answer)
        connection.answering = self._pieces(connection, answer, environ)
        return self._send(connection)

    def _pieces(self, connection: Connection, answer: PendingAnswer, environ: dict[str, Any]) -> Iterator[bytes]:
        try:
            written = self.wsgi(environ, answer.start_response)
            for piece in answer.pieces(written):
                connection.closes = answer.should_close()
                if connection.state is not Doing.SENDING:
                    self._received(connection)
                    connection.enter(Doing.SENDING)
                yield piece
            connection.closes = connection.closes or answer.should_close()
        except Exception:
            _LOG.exception("%s failed", environ["REQUEST_METHOD"])
            if answer.headers_sent:
                raise ConnectionAbortedError from None  # it cannot be mended: the client must see that it was cut
            self._received(connection)
            self.hooks.refused(500)
            connection.closes = True
            connection.enter(Doing.SENDING)
            yield refusal(500)

    def _decide_end(self, connection: Connection, answer: PendingAnswer) -> None:
        if not connection.body.finish() or not self.alive:
            answer.force_close()

    def _send(self, connection: Connection) -> bool:
        if not connection.send():
            self._arm(connection, _WRITE)
            return False
        connection.ended()
        if connection.closes:
            connection.sock.shutdown(socket.SHUT_WR)
        connection.enter(Doing.LEAVING if connection.closes else Doing.IDLE)
        return True

    def _leave(self, connection: Connection) -> bool:
        if connection.discard():
            self._arm(connection, _READ)
        else:
            self.close(connection)
        return False

    _steps: ClassVar[dict[Doing, Callable[[Worker, Connection], bool]]] = {
        Doing.FRESH: _read,
        Doing.HEAD: _read,
        Doing.IDLE: _read,
        Doing.PARKED: _answer,
        Doing.SENDING: _send,
        Doing.LEAVING: _leave,
    }

    def refuse(self, connection: Connection, status: int) -> None:
        """Answer a connection of the caller's with a problem document."""
        self.hooks.refused(status)
        connection.refuse(status)
        connection.enter(Doing.SENDING)
        self.go_on(connection)

    def _arm(self, connection: Connection, events: int) -> None:
        self.armed[connection.fd] = connection
        self.epoll.modify(connection.fd, events)

    def take(self, connection: Connection) -> None:
        """Look after a new connection."""
        self.connections[connection.fd] = self.armed[connection.fd] = connection
        self.epoll.register(connection.fd, _READ)

    def close(self, connection: Connection) -> None:
        """Close a connection of the caller's."""
        self._received(connection)
        self.connections.pop(connection.fd, None)
        self.crowds.remove(connection)
        connection.close()
        self.gate.count()


def _settled(cfg: Any) -> SimpleNamespace:
    """Return gunicorn's settings as they are now: its own look each of them up several times per request."""
    values = {name: setting.get() for name, setting in cfg.settings.items()}
    return SimpleNamespace(**values, is_ssl=False, forwarded_allow_networks=list)
