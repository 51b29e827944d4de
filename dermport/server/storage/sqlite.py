"""SQLite's file: opened as it is, never made in the place of one that went, and seen when it goes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL

from dermport.errors import StorageError
from dermport.server.storage.folder import close_to_others, denied, disk_full, gone, private_file, refusal

BUSY_SECONDS = 5
WRITES = "dermport_writes"
# Less than this is no room for SQLite's shared memory file, whose refusal is an "I/O error" instead of "full".
_FULL_BYTES = 64 * 1024
_REASONS = {
    "is full": "full",
    "is locked": "locked",
    "not a database": "damaged",
    "malformed": "damaged",
    "readonly": "denied",
    "unable to open": "denied",
}


class SqliteFile:
    """A database's file.

    Args:
        path: Where it is.
        create: Whether one is made where there is none.

    Attributes:
        path: Where it is, absolute.
        engine: Opens it, and makes none.
        snapshot: Reads it as it is, where the disk has no room for what SQLite keeps beside it.

    Raises:
        StorageError: It cannot be made.
    """

    def __init__(self, path: Path, create: bool) -> None:
        self.path = path.absolute()
        if create:
            self._make()
        self.engine = self._opened(mode="rw")
        event.listen(self.engine, "connect", _prepare)
        self.snapshot = self._opened(mode="ro", immutable="1", poolclass=NullPool)
        for engine in (self.engine, self.snapshot):
            event.listen(engine, "begin", _begin)
        self._known = _identity(self.path)

    def is_known(self) -> bool:
        """Whether the file is the one that was last looked at.

        Raises:
            StorageError: There is none.
        """
        found = _identity(self.path)
        if found is None:
            raise gone(self.path)
        return found == self._known

    def look_again(self) -> None:
        """Go on with the file that is there now."""
        self.engine.dispose()
        self._known = _identity(self.path)

    def refusal(self, said: str) -> StorageError:
        """Return what to tell where SQLite refused, in its words."""
        reason = next((reason for words, reason in _REASONS.items() if words in said), "failed")
        if reason == "full" or ("disk I/O error" in said and self._has_no_room()):
            return disk_full(self.path)
        if reason == "denied":
            return self._denied(said)
        remedy = {
            "locked": "Wait until the other program is done with it, or end it.",
            "damaged": "Restore it from a backup; or move it away, and a new one is made.",
        }
        cause = "another program has locked it" if reason == "locked" else said
        return StorageError(f"{self.path} cannot be used: {cause}.", reason=reason, remedy=remedy.get(reason, ""))

    def _make(self) -> None:
        try:
            private_file(self.path)
        except OSError as error:
            raise refusal(self.path, error) from error
        close_to_others(self.path)
        if not os.access(self.path, os.R_OK | os.W_OK):  # SQLite would be content to read it
            raise self._denied("")

    def _opened(self, poolclass: type[Any] | None = None, **how: str) -> Engine:
        url = URL.create("sqlite+pysqlite", database=f"file:{quote(str(self.path))}", query={**how, "uri": "true"})
        return create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}, poolclass=poolclass)

    def _has_no_room(self) -> bool:
        return self.path.parent.exists() and shutil.disk_usage(self.path.parent).free < _FULL_BYTES

    def _denied(self, said: str) -> StorageError:
        # SQLite writes beside its file, too, and names neither of them.
        there = [path for path in (self.path.parent, self.path) if path.exists()]
        closed = [path for path in there if not os.access(path, os.R_OK | os.W_OK)]
        return denied(closed[0] if closed else self.path, "it may not be written" if closed else said)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # Python's sqlite3 would begin transactions late; _begin does it at once
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail at once, without waiting, if another wrote in between.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
