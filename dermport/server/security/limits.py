"""How often one caller may ask: a token bucket each, in bounded memory.

Own code: the `limits` library counts in windows by the system's clock, keeps as many counters as there are callers, and
starts a thread to forget them.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dermport.errors import RequestError

_View = TypeVar("_View", bound=Callable[..., object])
_MARK = "dermport_unlimited"
_MINUTE = 60
_BUCKETS = 10_000


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
        now: A clock in seconds.
        buckets: How many callers are remembered; the one that asked longest ago is forgotten first, and starts full.
    """

    def __init__(self, rate: int, now: Callable[[], float] = time.monotonic, buckets: int = _BUCKETS) -> None:
        self._rate = rate
        self._now = now
        self._most = buckets
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # level, and when it was that
        self._lock = threading.Lock()

    def take(self, caller: str, count: int = 1) -> Allowance | None:
        """Take `count` requests out of a caller's bucket, if it holds them; None where there is no limit."""
        if not self._rate:
            return None
        with self._lock:
            level = self._level(caller)
            taken = level >= count
            level -= count * taken
            self._buckets[caller] = (level, self._now())
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        missing = (1 if taken else count) - level
        wait = max(0.0, missing) * _MINUTE / self._rate
        return Allowance(self._rate, int(level), wait, taken)

    def _level(self, caller: str) -> float:
        now = self._now()
        level, then = self._buckets.pop(caller, (float(self._rate), now))
        return min(self._rate, level + max(0.0, now - then) * self._rate / _MINUTE)


def unlimited(view: _View) -> _View:
    """Mark a view as free of limits; it goes below the route's own decorators."""
    setattr(view, _MARK, True)
    return view


def is_unlimited(view: Callable[..., object]) -> bool:
    """Whether a view is free of limits."""
    return bool(getattr(view, _MARK, False))


def bucket_of(address: str) -> str:
    """Return the name of an address's bucket: an IPv6 subscriber has a whole /64 of addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed.packed[:8] + bytes(8), 64)))
    return address


def too_many(allowance: Allowance) -> RequestError:
    """Return the refusal of a request that was not taken."""
    return RequestError(
        f"More than {allowance.quota} requests a minute are not answered.",
        code="too-many-requests",
        status=429,
        remedy="Send the request again after the time in Retry-After.",
        retry_after=allowance.wait,
    )
