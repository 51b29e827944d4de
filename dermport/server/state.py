"""The state of a server for as long as it runs: its folder in its hands, the database in its form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from dermport.server.config import StorageConfig
from dermport.server.delivery.kept_signer import KeptSigner
from dermport.server.storage.database import open_database
from dermport.server.storage.folder import held, make_state
from dermport.server.storage.state import ServerState


@contextmanager
def claimed(storage: StorageConfig) -> Iterator[StorageConfig]:
    """Keep the state folder for this server, and what it forks, while the ``with`` block runs; what they need is made.

    What is yielded names the state that was found or made: with it, nothing is made in its place, should it go.

    Raises:
        UsageError: The database's URL is none, or there is no home for the state folder.
        StorageError: The state folder or the database cannot be used, or another server has the folder.
    """
    folder = make_state(storage.folder)
    with held(folder):
        database = open_database(storage)
        KeptSigner(folder, ServerState(database))
        database.close()  # no connection may cross a fork
        yield replace(storage, state=folder, state_id=database.state_id)
