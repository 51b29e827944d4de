"""sd_notify and the watchdog, on real sockets."""

from __future__ import annotations

import os
import socket
import threading
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


def test_the_watchdog_pats_only_while_the_server_is_well(name: str) -> None:
    asked = threading.Semaphore(0)
    answers: list[bool | Exception] = [True, True]

    def healthy() -> bool:
        asked.release()
        answer = answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait_for_pats() -> None:
        for _ in range(3):
            assert listener.recv(100) == ALIVE.encode()

    with _listening(name) as listener:
        watchdog = Watchdog(healthy, {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000"})
        watchdog.start()
        wait_for_pats()
        for illness in (False, RuntimeError("ill")):
            answers[0] = illness
            for _ in range(20):
                assert asked.acquire(timeout=3)
            assert _waiting(listener) < 10
            answers[0] = True
            wait_for_pats()
        watchdog.close()


def _waiting(listener: socket.socket) -> int:
    """Take what has come in, and say how much it was."""
    listener.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while listener.recv(100):
            count += 1
    listener.settimeout(3)
    return count


def test_without_a_watchdog_there_is_no_thread() -> None:
    before = threading.active_count()
    Watchdog(lambda: True, {}).start()
    assert threading.active_count() == before
