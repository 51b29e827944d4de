"""A server watched from outside while something is done to it: memory, descriptors, and how soon /healthz answers."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

import numpy as np

from benchmarks.serving.http import HTTPError, ask, request_bytes
from benchmarks.serving.processes import descriptors_of, tree
from benchmarks.serving.servers import Running
from benchmarks.tables import show

_HEALTH = request_bytes("GET", "/healthz")
_PATIENCE = 10.0
_WARM_UP = 0.05  # of the samples


@dataclass(frozen=True)
class Sample:
    """One look at all processes of a server together.

    Attributes:
        at: Seconds since the watch began.
        rss: Resident memory, MiB; pages that processes share counted in each.
        pss: The same, counted once.
        descriptors: Open ones.
        health: Seconds until /healthz answered 200; 10 where it did not.
    """

    at: float
    rss: float
    pss: float
    descriptors: int
    health: float


class Watch(threading.Thread):
    """Samples for the ``with`` block.

    Args:
        live: The server.
        period: Seconds between two samples.

    Attributes:
        samples: What was seen.
    """

    def __init__(self, live: Running, period: float = 1.0) -> None:
        super().__init__(daemon=True)
        self.samples: list[Sample] = []
        self._live = live
        self._period = period
        self._over = threading.Event()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Sample until the block ends, once at least."""
        began = time.monotonic()
        while True:
            self.samples.append(self._sample(time.monotonic() - began))
            if self._over.wait(self._period):
                return

    def _sample(self, at: float) -> Sample:
        memory = self._live.memory()
        opened = descriptors_of(tree(self._live.pid))
        return Sample(at, sum(one.rss for one in memory), sum(one.pss for one in memory), opened, self._health())

    def _health(self) -> float:
        began = time.monotonic()
        try:
            status, _ = ask(self._live.address, _HEALTH, _PATIENCE)
        except (OSError, HTTPError):
            return _PATIENCE
        return time.monotonic() - began if status == 200 else _PATIENCE


@dataclass(frozen=True)
class Trend:
    """A figure over time.

    Attributes:
        first: Median of the first fifth of the samples.
        last: Median of the last fifth.
        most: The largest of all.
        slope: By the hour: the median of the slopes between any two samples (Theil and Sen), which a short rise does
            not move.
    """

    first: float
    last: float
    most: float
    slope: float

    @classmethod
    def of(cls, samples: list[tuple[float, float]]) -> Trend:
        """Return the trend of (seconds, value)."""
        most = max(value for _, value in samples)
        thinned = samples[:: max(1, len(samples) // 500)]
        seconds, values = np.array(thinned).T
        fifth = max(1, len(values) // 5)
        first, second = np.triu_indices(len(values), 1)
        slopes = (values[second] - values[first]) / (seconds[second] - seconds[first])
        slope = 3600 * float(np.median(slopes)) if len(slopes) else 0.0
        return cls(float(np.median(values[:fifth])), float(np.median(values[-fifth:])), most, slope)

    @property
    def change(self) -> float:
        """Last by first, less one."""
        return self.last / self.first - 1


def watched(samples: list[Sample]) -> dict[str, Any]:
    """Return the trends of what was seen after the warm-up, for JSON."""
    samples = samples[int(_WARM_UP * len(samples)) :]
    return {name: asdict(Trend.of([(one.at, getattr(one, name)) for one in samples])) for name in _WATCHED} | {
        "health_p50_ms": 1000 * statistics.median(one.health for one in samples),
        "health_worst_ms": 1000 * max(one.health for one in samples),
    }


_WATCHED = ("rss", "pss", "descriptors")


def show_watched(samples: list[Sample]) -> None:
    """Print what was seen."""
    found = watched(samples)
    rows = [(name, *(f"{found[name][field]:.0f}" for field in ("first", "last", "most", "slope"))) for name in _WATCHED]
    show("All processes together, MiB", ("", "first fifth", "last fifth", "most", "an hour"), rows)
    print(f"\n/healthz: median {found['health_p50_ms']:.1f} ms, worst {found['health_worst_ms']:.0f} ms")
