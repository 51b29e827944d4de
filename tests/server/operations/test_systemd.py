"""sd_notify and the watchdog, on real sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dermport.server.operations.systemd import ALIVE, READY, Watchdog, notify, watchdog_seconds


@contextmanager
def _listening(name: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        listener.settimeout(3)
        yield listener


@pytest.fixture(params=["path", "abstract"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@dermport-test-{os.getpid()}"


def test_systemd_hears_it(name: str) -> None:
    with _listening(name) as listener:
        assert notify(READY, {"NOTIFY_SOCKET": name})
        assert listener.recv(100) == b"READY=1"


def test_without_systemd_nothing_happens(tmp_path: Path) -> None:
    assert not notify(READY, {})
    assert not notify(READY, {"NOTIFY_SOCKET": "relative"})
    assert not notify(READY, {"NOTIFY_SOCKET": str(tmp_path / "nobody")})


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_who_is_watched(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environ) == seconds


def test_the_watchdog_pats_twice_an_interval(name: str) -> None:
    clock = [100.0]
    with _listening(name) as listener:
        watchdog = Watchdog({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000000"}, now=lambda: clock[0])
        assert watchdog.within(60) == 5
        pats = []
        for _ in range(30):
            watchdog.pat()
            pats.append(_waiting(listener))
            clock[0] += 1
        assert [n for n, count in enumerate(pats) if count] == [0, 10, 20]


def _waiting(listener: socket.socket) -> int:
    """Take what has come in, and say how much it was."""
    listener.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while listener.recv(100) == ALIVE.encode():
            count += 1
    return count


def test_without_a_watchdog_nothing_is_said(name: str) -> None:
    with _listening(name) as listener:
        watchdog = Watchdog({"NOTIFY_SOCKET": name})
        watchdog.pat()
        assert (watchdog.within(60), _waiting(listener)) == (60, 0)
