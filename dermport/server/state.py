"""The state of a server for as long as it runs: its folder in its hands, the database in its form."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from dermport.server.config import StorageConfig
from dermport.server.storage.folder import held, make_state


@contextmanager
def claimed(storage: StorageConfig, meanwhile: Callable[[], object] = bool) -> Iterator[StorageConfig]:
    """Keep the state folder for this server, and what it forks, while the ``with`` block runs; what they need is made.

    What is yielded names the state that was found or made: with it, nothing is made in its place, should it go.

    Args:
        storage: Names it.
        meanwhile: What can be done while the database is being made; it starts no thread.

    Raises:
        UsageError: The database's URL is none, or there is no home for the state folder.
        StorageError: The state folder or the database cannot be used, or another server has the folder.
    """
    folder = make_state(storage.folder)
    with held(folder):
        beside = _make_beside(storage, folder)
        meanwhile()
        if beside:
            os.waitpid(beside, 0)
        yield replace(storage, state=folder, state_id=_made(storage, folder))


def _made(storage: StorageConfig, folder: Path) -> str | None:
    from dermport.server.delivery.kept_signer import KeptSigner
    from dermport.server.storage.database import open_database
    from dermport.server.storage.state import ServerState

    database = open_database(storage)
    KeptSigner(folder, ServerState(database))
    database.close()  # no connection may cross a fork
    return database.state_id


def _make_beside(storage: StorageConfig, folder: Path) -> int:
    """Have SQLite's tables made by a process of its own, which imports what only that needs; return its number.

    What it cannot do is done, or said, by the one that comes after it.
    """
    if storage.database is not None:
        return 0
    if process := os.fork():
        return process
    with suppress(BaseException):
        _silence()
        _made(storage, folder)
    os._exit(0)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
