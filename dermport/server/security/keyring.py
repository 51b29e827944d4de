"""The keys in memory, so that a database that is slow or gone does not stop who is known already."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from dermport.errors import StorageError
from dermport.server.background import Background
from dermport.server.storage.api_keys import ApiKey, ApiKeys
from dermport.server.storage.base import utc_now

_LOG = logging.getLogger("dermport.keys")
# How long a request waits for the keys to be read again before it is judged by those in memory.
_PATIENCE = 0.5
# After they could not be read, they are not read again for so many seconds.
_PAUSE = 2.0
_USE_SECONDS = 60.0


class KeyRing:
    """Every stored key, read again once their number has changed; reads and writes are in threads of their own.

    Args:
        keys: Where they are stored.
        number: Returns the number of their newest change (:mod:`dermport.server.storage.generations`).
        now: A clock in seconds.
    """

    def __init__(self, keys: ApiKeys, number: Callable[[], int], now: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._number, self._now = keys, number, now
        self._lock = threading.Lock()  # guards what follows
        self._known: Mapping[str, ApiKey] = {}
        self._used: dict[str, datetime] = {}
        self._read_number = -1
        self._not_before = -math.inf
        self._stored_at = -math.inf
        self._read = Background(self._read_again, "read-keys")
        self._store = Background(self._store_uses, "store-key-uses")
        self._read_again()

    def find(self, key_id: str) -> ApiKey | None:
        """Return the key of that id as it is stored now, revoked and expired ones too; None where there is none.

        A database that fails, or does not answer in half a second, leaves those in memory in force.
        """
        stale = self._number() != self._read_number and self._now() >= self._not_before
        if stale and not self._read.run(_PATIENCE):
            self._not_before = self._now() + _PAUSE
        with self._lock:
            return self._known.get(key_id)

    def used(self, key_id: str) -> None:
        """Remember that a key is used now; it is stored later, once a minute."""
        with self._lock:
            self._used[key_id] = utc_now()
            due = self._now() - self._stored_at >= _USE_SECONDS
            if due:
                self._stored_at = self._now()
        if due:
            self._store.run()

    def close(self) -> None:
        """Store the last uses if the database answers soon, and end the threads."""
        if self._used:
            self._store.run(_PATIENCE)
        for background in (self._read, self._store):
            background.close()

    def _read_again(self) -> None:
        number = self._number()
        try:
            known = {key.id: key for key in self._keys.all()}
        except StorageError as error:
            _LOG.warning("the API keys in memory stay in force: %s", error.message)
            self._not_before = self._now() + _PAUSE
            return
        with self._lock:
            self._known, self._read_number, self._not_before = known, number, -math.inf

    def _store_uses(self) -> None:
        with self._lock:
            used, self._used = self._used, {}
        try:
            self._keys.mark_used(used)
        except StorageError as error:
            _LOG.warning("the last use of API keys is not stored: %s", error.message)
            with self._lock:
                self._used = used | self._used
