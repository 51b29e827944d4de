"""The inputs of the photos that came last, by their sha256: a phone that answers an earlier photo is known by them."""

from __future__ import annotations

import threading
from collections import OrderedDict

_MOST = 2048


class Recent:
    """Remembers the last so many sha256, for any number of threads; nothing is written anywhere.

    Args:
        most: How many.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most, self._lock = most, threading.Lock()
        self._known: OrderedDict[str, None] = OrderedDict()

    def add(self, sha256: str) -> None:
        """Remember one; the oldest one is forgotten for it."""
        with self._lock:
            self._known[sha256] = None
            self._known.move_to_end(sha256)
            if len(self._known) > self._most:
                self._known.popitem(last=False)

    def __contains__(self, sha256: object) -> bool:
        with self._lock:
            return sha256 in self._known
