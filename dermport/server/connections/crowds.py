"""How many connections one address has, and whose bodies may come now."""

from __future__ import annotations

import threading
import time
from collections import deque

from dermport.server.connections.bounds import ConnectionBounds
from dermport.server.connections.connection import Connection, Doing


class Crowds:
    """Connections by whom they count for, and whose bodies are waited for; used by all threads.

    Args:
        bounds: What one crowd may take.
        threads: How many threads there are; some are left for requests that send nothing.
    """

    _SPARE = 8

    def __init__(self, bounds: ConnectionBounds, threads: int) -> None:
        self._bounds = bounds
        self._most = max(1, threads - self._SPARE)
        self._lock = threading.Lock()
        self._members: dict[str, set[Connection]] = {}
        self._sending: dict[str, int] = {}
        self._parked: deque[Connection] = deque()

    def add(self, connection: Connection) -> Connection | None:
        """Count a connection.

        Returns:
            One of the same crowd that has to go, which may be itself; None where none has to.
        """
        with self._lock:
            members = self._members.setdefault(connection.crowd, set())
            members.add(connection)
            if not connection.crowd or len(members) <= self._bounds.per_address:
                return None
            return self._longest_idle(members) or connection

    def largest(self) -> Connection | None:
        """Return the longest idle connection of the largest crowd."""
        with self._lock:
            crowds = sorted(self._members.values(), key=len, reverse=True)
            return next(filter(None, map(self._longest_idle, crowds)), None)

    def remove(self, connection: Connection) -> None:
        """Count a connection no more."""
        with self._lock:
            members = self._members.get(connection.crowd, set())
            members.discard(connection)
            if not members:
                self._members.pop(connection.crowd, None)

    def join(self, connection: Connection) -> bool:
        """Return whether a body may come now; where not, it is parked until :meth:`part` returns its connection."""
        with self._lock:
            if self._may_send(connection):
                self._count(connection, 1)
                return True
            self._parked.append(connection)
            return False

    def leave(self, connection: Connection) -> bool:
        """Park a connection no more; return whether it was."""
        with self._lock:
            if connection not in self._parked:
                return False
            self._parked.remove(connection)
            return True

    def part(self, connection: Connection) -> Connection | None:
        """Say that a body is there, or will not come; return one that may come instead."""
        with self._lock:
            if not connection.receives:
                return None
            self._count(connection, -1)
            for other in self._parked:
                if self._may_send(other):
                    self._parked.remove(other)
                    self._count(other, 1)
                    return other
            return None

    def _may_send(self, connection: Connection) -> bool:
        crowd = connection.crowd
        return sum(self._sending.values()) < self._most and (
            not crowd or self._sending.get(crowd, 0) < self._bounds.bodies
        )

    def _count(self, connection: Connection, more: int) -> None:
        connection.receives = more > 0
        left = self._sending.pop(connection.crowd, 0) + more
        if left:
            self._sending[connection.crowd] = left

    @staticmethod
    def _longest_idle(members: set[Connection]) -> Connection | None:
        idle = (one for one in tuple(members) if one.state in (Doing.IDLE, Doing.FRESH))
        found = min(idle, key=lambda one: one.since, default=None)
        return found if found and time.monotonic() - found.since > 1 else None
