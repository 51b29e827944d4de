"""What systemd is told: that the server is ready, that it stops, that it is alive.

Sources: sd_notify(3), sd_watchdog_enabled(3). One datagram needs no library.
"""

from __future__ import annotations

import os
import socket
import time
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
    """Gives systemd a sign of life twice per interval, from a loop that says :meth:`pat` at each turn.

    Args:
        environ: Where systemd's words are; without WATCHDOG_USEC there is nothing to do.
        now: A clock in seconds.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, now: Callable[[], float] = time.monotonic) -> None:
        self._environ = environ
        self._now = now
        self._seconds = watchdog_seconds(environ)
        self._next = now()

    def within(self, seconds: float) -> float:
        """Return how long the loop may sleep, `seconds` at most."""
        return seconds if self._seconds is None else min(seconds, self._seconds / 4)

    def pat(self) -> None:
        """Give a sign of life, if it is time."""
        if self._seconds is not None and self._now() >= self._next:
            self._next = self._now() + self._seconds / 2
            notify(ALIVE, self._environ)
