"""What systemd is told: that the server is ready, that it stops, that it is alive.

Sources: sd_notify(3), sd_watchdog_enabled(3). One datagram needs no library.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"


def notify(state: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell systemd a state; return whether it was told (there may be no systemd that listens).

    Args:
        state: One of the constants of this file, or ``STATUS=...``.
        environ: Where NOTIFY_SOCKET is.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(f"\0{address[1:]}" if address.startswith("@") else address)  # @ stands for "abstract"
            sender.sendall(state.encode())
    except OSError:
        return False
    return True


def watchdog_seconds(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return within how many seconds systemd wants a sign of life from this process; None where it wants none."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    for_us = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) and for_us else None


class Watchdog:
    """Gives systemd a sign of life twice per interval, as long as the server says that it is well.

    Args:
        healthy: Whether the server is well; must return soon. Where it raises, the server is not well.
        environ: Where systemd's words are; without WATCHDOG_USEC there is nothing to do.
    """

    def __init__(self, healthy: Callable[[], bool], environ: Mapping[str, str] = os.environ) -> None:
        self._healthy = healthy
        self._environ = environ
        self._seconds = watchdog_seconds(environ)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._pat, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin."""
        if self._seconds is not None:
            self._thread.start()

    def close(self) -> None:
        """End; systemd, which still waits for signs of life, must have been told that the server stops."""
        self._stopped.set()

    def _pat(self) -> None:
        assert self._seconds is not None
        while not self._stopped.wait(self._seconds / 2):
            if self._is_healthy():
                notify(ALIVE, self._environ)

    def _is_healthy(self) -> bool:
        try:
            return self._healthy()
        except (
            Exception
        ):  # whatever it is, a watchdog that died of it would have the server killed later, with no reason
            return False
