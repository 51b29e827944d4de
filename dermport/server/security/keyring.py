"""The keys in memory, so that a database that is slow or gone does not stop who is known already."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import datetime

from dermport.errors import StorageError
from dermport.server.security.background import Background
from dermport.server.storage.api_keys import ApiKey, ApiKeys
from dermport.server.storage.base import utc_now

_LOG = logging.getLogger("dermport.keys")
# How long a request waits for the keys to be read again before it is judged by those in memory.
_PATIENCE = 0.5
_USE_SECONDS = 60.0


class KeyRing:
    """Every stored key, read again while it is used; reads and writes are in threads of their own.

    Args:
        keys: Where they are stored.
        now: A clock in seconds.
    """

    def __init__(self, keys: ApiKeys, now: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._now = now
        self._lock = threading.Lock()  # guards what follows
        self._known: dict[str, ApiKey] = {}
        self._revoked: set[str] = set()
        self._used: dict[str, datetime] = {}
        self._read_at = now()
        self._reading_since: float | None = None
        self._stored_at = -math.inf
        self._read_again()
        self._read = Background(self._read_again, "read-keys")
        self._store = Background(self._store_uses, "store-key-uses")

    def find(self, key_id: str, max_age: float) -> ApiKey | None:
        """Return the key of that id, revoked and expired ones too; None where there is none.

        Args:
            key_id: Its id.
            max_age: Seconds; keys that were read earlier are read again first, if that can be done in half a second.
        """
        if self._now() - self._read_at > max_age:
            self._read.run(self._patience())
        with self._lock:
            return None if key_id in self._revoked else self._known.get(key_id)

    def used(self, key_id: str) -> None:
        """Remember that a key is used now; it is stored later, once a minute."""
        with self._lock:
            self._used[key_id] = utc_now()
            due = self._now() - self._stored_at >= _USE_SECONDS
            if due:
                self._stored_at = self._now()
        if due:
            self._store.run()

    def revoke(self, key_id: str) -> bool:
        """Revoke a key, for the next request already; return whether there was such a key, not revoked.

        Raises:
            StorageError: It cannot be stored; the key stays as it was.
        """
        revoked = self._keys.revoke([key_id], utc_now()) > 0
        with self._lock:
            if revoked:
                self._revoked.add(key_id)
        return revoked

    def close(self) -> None:
        """Store the last uses if the database answers soon, and end the threads."""
        if self._used:
            self._store.run(_PATIENCE)
        for background in (self._read, self._store):
            background.close()

    def _patience(self) -> float:
        """Nothing more is waited for a database that did not answer in time before."""
        since = self._reading_since
        return _PATIENCE if since is None or self._now() - since < _PATIENCE else 0.0

    def _read_again(self) -> None:
        began = self._reading_since = self._now()
        try:
            known = {key.id: key for key in self._keys.all()}
            with self._lock:
                self._known = known
            self._read_at = began
        except StorageError as error:
            _LOG.warning("the API keys in memory stay in force: %s", error.message)
            self._read_at = self._now()
        finally:
            self._reading_since = None

    def _store_uses(self) -> None:
        with self._lock:
            used, self._used = self._used, {}
        try:
            self._keys.mark_used(used)
        except StorageError as error:
            _LOG.warning("the last use of API keys is not stored: %s", error.message)
            with self._lock:
                self._used = used | self._used
