"""Rows that come at once are stored in one transaction: one wait for the disk, and for whoever else writes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.exc import IntegrityError

from dermport.server.storage.database import Database

_Row = Mapping[str, Any]
_Waiting = tuple[_Row, "Future[bool]"]


class SharedInserts:
    """Stores rows of one table, for any number of threads.

    What comes while rows are being stored is stored together, by one of those who wait for it.

    Args:
        database: Where the table is.
        table: The table.
    """

    def __init__(self, database: Database, table: Table) -> None:
        self._database, self._statement = database, insert(table)
        self._storing, self._lock = threading.Lock(), threading.Lock()
        self._waiting: list[_Waiting] = []

    def add(self, row: _Row) -> bool:
        """Store a row; once this returns True, it is on the disk. False where it breaks a constraint.

        Raises:
            StorageError: It cannot be stored.
        """
        stored: Future[bool] = Future()
        with self._lock:
            self._waiting.append((row, stored))
        with self._storing:
            if not stored.done():
                self._store()
        return stored.result()

    def _store(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        try:
            self._insert(waiting)
        except IntegrityError:  # one of them is to blame
            for one in waiting:
                self._store_alone(one)
        except BaseException as error:
            for _, stored in waiting:
                stored.set_exception(error)

    def _store_alone(self, one: _Waiting) -> None:
        try:
            self._insert([one])
        except IntegrityError:
            one[1].set_result(False)
        except BaseException as error:
            one[1].set_exception(error)

    def _insert(self, waiting: Sequence[_Waiting]) -> None:
        with self._database.writing() as session:
            session.connection().execute(self._statement, [row for row, _ in waiting])
        for _, stored in waiting:
            stored.set_result(True)
