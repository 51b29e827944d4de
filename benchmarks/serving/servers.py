"""Servers under test: how each is started, asked and stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.serving import processes
from benchmarks.serving.environments import ROOT
from benchmarks.serving.http import Address, HTTPError, ask
from benchmarks.serving.photos import RequestPhoto
from dermport.errors import UnavailableError

LOGS = ROOT / "build" / "benchmarks" / "logs"
_START_SECONDS = 90.0
_STOP_SECONDS = 15.0
_PAUSE = 0.01


@dataclass(frozen=True)
class Launch:
    """How a server is started.

    Attributes:
        command: Program and arguments.
        environment: Variables that it needs besides ours.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]


class Server(Protocol):
    """A server of one model that can be started."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    @property
    def whole(self) -> bool:
        """Whether it gives the whole answer that ours gives; else label and probabilities alone."""
        ...

    def launch(self, port: int) -> Launch:
        """Return how it is started, to serve on that port of 127.0.0.1.

        Raises:
            UnavailableError: It cannot be had on this machine.
        """
        ...

    def request(self, photo: RequestPhoto) -> bytes:
        """Return the HTTP request that asks for a photo's label."""
        ...

    def probabilities(self, body: bytes) -> dict[str, float]:
        """Return the probabilities by label that the body of an answer says."""
        ...


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        server: Which.
        address: Where.
        pid: Its first process.
        seconds: From its start to its first answer.
    """

    server: Server
    address: Address
    pid: int
    seconds: float

    def memory(self) -> list[processes.Memory]:
        """Return the memory of all its processes."""
        return processes.memory_of(processes.tree(self.pid))

    def cpu_seconds(self) -> float:
        """Return the processor time that all its processes have taken."""
        return processes.cpu_seconds_of(processes.tree(self.pid))


@contextmanager
def running(server: Server, photo: RequestPhoto) -> Iterator[Running]:
    """Have a server for the ``with`` block, from its first answer to `photo` on.

    Raises:
        UnavailableError: It cannot be had here, or does not answer; the message has the last words of its log.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = Address(*free.getsockname())
    launch = server.launch(address.port)
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{server.name.replace(' ', '-')}.log"
    with tempfile.TemporaryDirectory() as folder, log.open("wb") as file:
        began = time.perf_counter()
        process = subprocess.Popen(
            launch.command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **launch.environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for_answer(process, address, server.request(photo), log)
            yield Running(server, address, process.pid, time.perf_counter() - began)
        finally:
            processes.end(process.pid, _STOP_SECONDS)


def _wait_for_answer(process: subprocess.Popen[bytes], address: Address, request: bytes, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    said = "nothing"
    while process.poll() is None and time.monotonic() < deadline:
        try:
            status, body = ask(address, request, timeout=_START_SECONDS)
        except (OSError, HTTPError) as error:
            said = type(error).__name__
        else:
            if status == 200:
                return
            said = f"{status} {body[:200]!r}"
        time.sleep(_PAUSE)
    ended = f"ended with status {process.returncode}" if process.poll() is not None else f"answered {said}"
    lines = [line for line in log.read_text(errors="replace").splitlines() if any(map(str.isalpha, line))]
    last = lines[-1][:300] if lines else "without a word"
    raise UnavailableError(f"the server {ended}; its log ends: {last}", remedy=f"See {log}.")
