"""Numbers that say whether what a process keeps in memory is still what the database has.

Whoever changes keys, the live model or the folders' models counts the number up in the same transaction, be it a
server's process or a command. Every process looks at each request: a revoked key is revoked at the next one.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from sqlalchemy import Connection, String, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from dermport.server.background import Background
from dermport.server.storage.base import Base
from dermport.server.storage.database import Database

_LOG = logging.getLogger("dermport.storage")
Subject = Literal["keys", "live", "folders"]
_SELECT = "SELECT subject, number FROM generations"
# How long a request waits for a database that hangs, before it is judged by what is in memory.
_PATIENCE = 0.5


class GenerationRow(Base):
    """A row of the table ``generations``."""

    __tablename__ = "generations"

    subject: Mapped[str] = mapped_column(String(16), primary_key=True)
    number: Mapped[int]


def count_up(session: Session, subject: Subject) -> int:
    """Say, with what `session` commits, that the subject has changed; return its new number."""
    change = update(GenerationRow).where(GenerationRow.subject == subject).values(number=GenerationRow.number + 1)
    return session.scalars(change.returning(GenerationRow.number)).one()


class Generations:
    """The numbers as they are now, for any number of threads.

    A database that fails, or does not answer in half a second, leaves the numbers that were read last: nothing can have
    been revoked in it meanwhile.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._known: Mapping[Subject, int] = {"keys": 0, "live": 0, "folders": 0}
        self._watch: _SqliteWatch | _ServerWatch = (
            _SqliteWatch(database.file) if database.file else _ServerWatch(database.connect, self._known)
        )
        self._complained = 0.0

    def now(self) -> Mapping[Subject, int]:
        """Return the numbers as they are now."""
        try:
            self._known = self._watch.look() or self._known
        except (sqlite3.Error, SQLAlchemyError, TimeoutError) as error:
            self._complain(error)
        return self._known

    def close(self) -> None:
        """Close the connection."""
        self._watch.close()

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._complained > 10 or not self._complained:
            self._complained = now
            _LOG.warning("the database does not say what has changed: %s", type(error).__name__)


class _SqliteWatch:
    """SQLite says in microseconds whether any other connection has committed anything."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self._identity: tuple[int, int] | None = None
        self._version, self._checked = -1, -math.inf
        self._connection: sqlite3.Connection | None = None

    def look(self) -> Mapping[Subject, int] | None:
        """Return the numbers; None where nothing has changed since they were read last."""
        with self._lock:
            connection = self._opened()
            [version] = connection.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return None
            numbers = dict(connection.execute(_SELECT).fetchall())
            self._version = version
            return numbers

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        """Return the connection; once a second, see whether another file is in its file's place."""
        if self._connection is None or time.monotonic() - self._checked > 1:
            self._checked = time.monotonic()
            if self._connection is None or _identity(self._file) != self._identity:
                self._identity, self._version = _identity(self._file), -1
                url = f"file:{quote(str(self._file.absolute()))}?mode=rw"  # a file that is gone is not made again
                self._connection = sqlite3.connect(
                    url, timeout=_PATIENCE, isolation_level=None, check_same_thread=False, uri=True
                )
        return self._connection


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class _ServerWatch:
    """PostgreSQL is asked in a thread of its own, which requests that come at once share, and need not wait for."""

    def __init__(self, connect: Callable[[], Connection], numbers: Mapping[Subject, int]) -> None:
        self._connect, self._numbers = connect, numbers
        self._connection: Connection | None = None
        self._error: Exception | None = None
        self._failed_at: float | None = None
        self._ask = Background(self._read, "generations")

    def look(self) -> Mapping[Subject, int]:
        """Return the numbers."""
        since = self._failed_at
        patience = _PATIENCE if since is None or time.monotonic() - since < _PATIENCE else 0.0
        if not self._ask.run(patience):
            self._failed_at = self._failed_at or time.monotonic()
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._numbers

    def close(self) -> None:
        self._ask.close()
        if self._connection is not None:
            self._connection.close()

    def _read(self) -> None:
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._numbers = {row[0]: row[1] for row in self._connection.exec_driver_sql(_SELECT)}
            self._error = self._failed_at = None
        except SQLAlchemyError as error:
            self._error, self._connection = error, None
