"""The process that keeps the workers: gunicorn's arbiter, told by us alone, which never makes the app itself."""

from __future__ import annotations

import ctypes
import json
import logging
import mmap
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gunicorn import glogging
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter as GunicornArbiter
from gunicorn.errors import HaltServer

from dermport.errors import DermportError, UnavailableError
from dermport.server.operations import systemd
from dermport.server.worker import Worker

if TYPE_CHECKING:
    from flask import Flask

    from dermport.server.listener import ListenConfig

_LOG = logging.getLogger("dermport.listener")
_PR_SET_PDEATHSIG = 1
_SHM = "/dev/shm"  # signs of life are files there, which a full disk does not stop
_SHORT_LIFE = 10.0
_LONGEST_PAUSE = 60.0


class Asked:
    """What arbiter and workers share.

    Args:
        create_app: Makes the app, in each worker.
        listen: Where to listen, and how.
        trusted: Whether an address is a trusted proxy's.

    Attributes:
        board: How many connections each worker has, by its seat; -1 where it takes none.
    """

    def __init__(self, create_app: Callable[[], Flask], listen: ListenConfig, trusted: Callable[[str], bool]) -> None:
        self.create_app, self.listen, self.trusted = create_app, listen, trusted
        self.board = memoryview(mmap.mmap(-1, 4 * listen.workers)).cast("i")
        for seat in range(listen.workers):
            self.board[seat] = -1
        self.heard, self._tells = os.pipe()
        os.set_blocking(self.heard, False)

    def tell(self, pid: int, error: Exception | None = None) -> None:
        """Tell the arbiter that a worker is ready, or why it will not be; called by the worker."""
        said: dict[str, Any] = {"pid": pid}
        if isinstance(error, DermportError):
            message, remedy = error._text
            of = [error.of.__module__, error.of.__qualname__] if error.of else None
            said |= {"error": type(error).__name__, "message": message[:1500], "remedy": remedy[:500], "of": of}
        elif error is not None:
            _LOG.error("the app cannot be made", exc_info=error)
            said |= {"error": "", "message": f"The server cannot start ({type(error).__name__})."}
            said |= {"remedy": "Its log says why.", "of": None}
        os.write(self._tells, json.dumps(said).encode() + b"\n")


def _error_of(said: dict[str, Any]) -> DermportError:
    of = getattr(sys.modules.get(said["of"][0]), said["of"][1], None) if said["of"] else None
    kind = getattr(sys.modules[DermportError.__module__], said["error"], UnavailableError)
    words = {"remedy": said["remedy"], "of": of}
    try:
        return kind(said["message"], **words)
    except TypeError:  # some ask for more than words
        return DermportError(said["message"], **words)


class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """What gunicorn runs, with settings from here: no file, no environment variable and no command line has a say."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's settings."""
        listen = self.asked.listen
        settings = {
            "bind": [],
            "workers": listen.workers,
            "worker_class": Worker,
            "threads": listen.threads,
            "timeout": max(1, round(listen.silent_seconds)),
            "graceful_timeout": max(1, round(listen.drain_seconds)) + 1,
            "worker_tmp_dir": _SHM if os.access(_SHM, os.W_OK) else None,
            "logger_class": Log,
            "control_socket_disable": True,
            "http_parser": "python",
            # It believes nobody: the app decides whose forwarded headers are (security/proxy.py).
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "forwarder_headers": "",
            "header_map": "refuse",
            "proxy_protocol": "off",
            "limit_request_fields": 100,
            "pre_fork": _seat,
            "post_fork": _die_with_parent,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make the app; called in each worker."""
        return self.asked.create_app()


def _seat(arbiter: Arbiter, worker: Worker) -> None:
    taken = {one.seat for one in arbiter.WORKERS.values()}
    worker.seat = min(set(range(arbiter.num_workers)) - taken)


def _die_with_parent(arbiter: Arbiter, worker: Worker) -> None:
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError, TypeError):
        return  # not Linux
    if os.getppid() != arbiter.pid:
        os._exit(1)


class Log(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """What gunicorn says, among our own lines; what it tells of a good day is for debugging."""

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log = self.access_log = _LOG
        self.error_handlers: list[Any] = []
        self.access_handlers: list[Any] = []
        self.logfile = None
        self.lock = threading.Lock()

    def setup(self, cfg: Any) -> None:
        """Leave the loggers as they are."""

    def info(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log for debugging."""
        _LOG.debug(msg, *args, **kwargs)


class Arbiter(GunicornArbiter):  # type: ignore[misc]  # gunicorn has no types
    """The arbiter.

    Args:
        app: What it runs.
        doors: The sockets that it listens on.
        announce: Called once, when all workers are ready.
        ended: Called with the process id of a worker that is gone.
        environ: Where systemd's words are.

    Attributes:
        failure: Why the server ended before it was ready.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)

    def __init__(
        self,
        app: Application,
        doors: list[socket.socket],
        announce: Callable[[], None],
        ended: Callable[[int], None],
        environ: dict[str, str],
    ) -> None:
        super().__init__(app)
        self.LISTENERS = doors
        self.WORKERS: dict[int, Worker] = {}
        self.failure: DermportError | None = None
        self._asked = app.asked
        self._announce, self._ended = announce, ended
        self._environ = environ
        self._watchdog = systemd.Watchdog(environ)
        self._announced = False
        self._ready: dict[int, float] = {}
        self._failures, self._not_before = 0, 0.0
        self._woken, waking = os.pipe()
        for end in (self._woken, waking):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        self._heard = b""

    def wait_for_signals(self, timeout: float = 1.0) -> list[int]:
        """Wait for signals and for workers' words, and show that there is life."""
        select.select([self._woken, self._asked.heard], [], [], self._watchdog.within(timeout))
        _read_all(self._woken)
        self._hear()
        self._watchdog.pat()
        found: list[int] = super().wait_for_signals(timeout=0.001)
        return found

    def handle_int(self) -> None:
        """End as at SIGTERM: what is being answered is still answered."""
        self.handle_term()

    def stop(self, graceful: bool = True) -> None:
        """End the workers."""
        systemd.notify(systemd.STOPPING, self._environ)
        super().stop(graceful)

    def spawn_workers(self) -> None:
        """Start the workers that are missing, unless the last ones failed just now."""
        if time.monotonic() >= self._not_before:
            for _ in range(self.num_workers - len(self.WORKERS)):
                self.spawn_worker()

    def reap_workers(self) -> None:
        """Look after those that have ended."""
        before = dict(self.WORKERS)
        super().reap_workers()
        for pid in before.keys() - self.WORKERS.keys():
            self._asked.board[before[pid].seat] = -1
            self._count_failure(pid)
            self._ended(pid)

    def _count_failure(self, pid: int) -> None:
        lived = time.monotonic() - self._ready.pop(pid, time.monotonic())
        self._failures = self._failures + 1 if lived < _SHORT_LIFE else 0
        self._not_before = time.monotonic() + min(_LONGEST_PAUSE, 2.0**self._failures - 2) * (self._failures > 0)
        if not self._announced and self._failures >= 3:
            self._fail(UnavailableError("The workers end before they are ready.", remedy="The log says more."))

    def _hear(self) -> None:
        *lines, self._heard = (self._heard + _read_all(self._asked.heard)).split(b"\n")
        for said in map(json.loads, lines):
            if "error" not in said:
                self._ready[said["pid"]] = time.monotonic()
            elif not self._announced:
                self._fail(_error_of(said))
            else:
                _LOG.error("a worker cannot start: %s", _error_of(said).message)
        if not self._announced and len(self.WORKERS.keys() & self._ready.keys()) >= self.num_workers:
            self._announced = True
            systemd.notify(systemd.READY, self._environ)
            self._announce()

    def _fail(self, error: DermportError) -> None:
        self.failure = self.failure or error
        raise HaltServer(error.message, exit_status=0)  # else it is logged, too


def _read_all(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return b""
