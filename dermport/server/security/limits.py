"""How often one caller may ask: a token bucket each, in bounded memory that all processes of a server share.

Own code: the `limits` library counts in windows by the system's clock, keeps as many counters as there are callers,
starts a thread to forget them, and shares them through a server of its own.
"""

from __future__ import annotations

import math
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from mmap import mmap
from pathlib import Path
from typing import TypeVar

from dermport.errors import RequestError
from dermport.server.sharing.region import SharedRegion

_View = TypeVar("_View", bound=Callable[..., object])
_MARK = "dermport_unlimited"
_MINUTE = 60
# A caller's bucket is one of a few: of those, the one that was used longest ago is forgotten for a new caller.
_SETS, _WAYS = 4096, 4
_SECRET = 16
_BUCKET = struct.Struct("<8sdd")  # the caller's hash, the level, and when it was that


@dataclass(frozen=True)
class Allowance:
    """What a caller has left.

    Attributes:
        quota: Requests a minute.
        remaining: Requests that would be taken now.
        wait: Seconds until one more (or as many as were asked for in vain) is taken; 0 where it is taken now.
        taken: Whether this request was.
    """

    quota: int
    remaining: int
    wait: float
    taken: bool

    def headers(self) -> dict[str, str]:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers."""
        return {
            "RateLimit-Policy": f'"requests";q={self.quota};w={_MINUTE}',
            "RateLimit": f'"requests";r={self.remaining};t={math.ceil(self.wait)}',
        }


class Limits:
    """Buckets that hold `rate` requests and are filled again at `rate` a minute.

    Args:
        rate: Requests a minute; 0 for no limit.
        folder: Where the processes of the server meet.
        now: A clock in seconds, the same in all of them.
        sets: A quarter of how many callers are remembered; one that was forgotten starts full.

    Attributes:
        enabled: Whether there is a limit.
    """

    def __init__(self, rate: int, folder: Path, now: Callable[[], float] = time.monotonic, sets: int = _SETS) -> None:
        self.enabled = rate > 0
        self._rate, self._now, self._sets = rate, now, sets
        self._region = SharedRegion(folder / "limits", _SECRET + sets * _WAYS * _BUCKET.size) if rate else None
        if self._region is not None:
            with self._region.locked() as memory:  # without a secret, callers could be made up that share a bucket
                if not any(memory[:_SECRET]):
                    memory[:_SECRET] = os.urandom(_SECRET)
                self._secret = memory[:_SECRET]

    def take(self, caller: str, count: int = 1) -> Allowance | None:
        """Take `count` requests out of a caller's bucket, if it holds them; None where there is no limit."""
        if self._region is None:
            return None
        name = blake2b(caller.encode(), digest_size=8, key=self._secret).digest()
        with self._region.locked() as memory:
            now = self._now()
            place, level = self._bucket(memory, name, now)
            taken = level >= count
            level -= count * taken
            _BUCKET.pack_into(memory, place, name, level, now)
        missing = (1 if taken else count) - level
        wait = max(0.0, missing) * _MINUTE / self._rate
        return Allowance(self._rate, int(level), wait, taken)

    def close(self) -> None:
        """Free the memory."""
        if self._region is not None:
            self._region.close()

    def _bucket(self, memory: mmap, name: bytes, now: float) -> tuple[int, float]:
        """Return where a caller's bucket is, and how full."""
        first = _SECRET + int.from_bytes(name, "little") % self._sets * _WAYS * _BUCKET.size
        places = range(first, first + _WAYS * _BUCKET.size, _BUCKET.size)
        buckets = [(place, *_BUCKET.unpack_from(memory, place)) for place in places]
        for place, known, level, then in buckets:
            if known == name:
                return place, min(self._rate, level + max(0.0, now - then) * self._rate / _MINUTE)
        stalest = min(buckets, key=lambda bucket: bucket[3])
        return stalest[0], float(self._rate)


def unlimited(view: _View) -> _View:
    """Mark a view as free of limits; it goes below the route's own decorators."""
    setattr(view, _MARK, True)
    return view


def is_unlimited(view: Callable[..., object]) -> bool:
    """Whether a view is free of limits."""
    return bool(getattr(view, _MARK, False))


def too_many(allowance: Allowance) -> RequestError:
    """Return the refusal of a request that was not taken."""
    return RequestError(
        f"More than {allowance.quota} requests a minute are not answered.",
        code="too-many-requests",
        status=429,
        remedy="Send the request again after the time in Retry-After.",
        retry_after=allowance.wait,
    )
