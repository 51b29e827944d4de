"""Mixed requests for a long time, with hot swaps: failed requests, and whether memory grows."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving.conditions import Conditions
from benchmarks.serving.dermport import Dermport
from benchmarks.serving.http import HTTPError, ask
from benchmarks.serving.load import LoadDuration, LoadResult, drive
from benchmarks.serving.photos import enlarged, prepared_by_client
from benchmarks.serving.rounds import LoadCase, stream
from benchmarks.serving.servers import Running, running
from benchmarks.tables import say, show
from dermport.bundle.store import Bundle, write_manifest

SWAPS = 3
_SAMPLES = 240
_WARM_UP = 0.05  # of the time
_SWAP_TIMEOUT = 120.0
_CAMERA = (4000, 3000)


@dataclass(frozen=True)
class Swap:
    """A hot swap: seconds since the start, the status that was answered (0: none), and how long that took."""

    at: float
    status: int
    seconds: float


@dataclass(frozen=True)
class Trend:
    """The memory of all processes together, pages that they share counted once.

    Attributes:
        first_mib: Median of the first fifth of the samples after the warm-up.
        last_mib: Median of the last fifth.
        slope: MiB an hour: the median of the slopes between any two samples (Theil and Sen), which a swap's short
            rise does not move.
    """

    first_mib: float
    last_mib: float
    slope: float

    @classmethod
    def of(cls, samples: list[tuple[float, float]]) -> Trend:
        """Return the trend of (seconds, MiB)."""
        seconds, mib = np.array(samples).T
        fifth = max(1, len(mib) // 5)
        first, second = np.triu_indices(len(mib), 1)
        slopes = (mib[second] - mib[first]) / (seconds[second] - seconds[first])
        slope = 3600 * float(np.median(slopes)) if len(slopes) else 0.0
        return cls(float(np.median(mib[:fifth])), float(np.median(mib[-fifth:])), slope)

    @property
    def change(self) -> float:
        """Last by first, less one."""
        return self.last_mib / self.first_mib - 1


class Watch(threading.Thread):
    """Samples the memory and swaps the model, while the load is on.

    Attributes:
        samples: (seconds since the start, MiB).
        swaps: What came of each swap.
    """

    def __init__(self, live: Running, activations: list[bytes], seconds: float) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, float]] = []
        self.swaps: list[Swap] = []
        self._live = live
        self._activations = activations
        self._seconds = seconds
        self._over = threading.Event()

    def run(self) -> None:
        """Sample and swap until :meth:`stop`."""
        began = time.monotonic()
        due = [self._seconds * (number + 1) / (SWAPS + 1) for number in range(SWAPS)]
        while not self._over.wait(self._seconds / _SAMPLES):
            now = time.monotonic() - began
            self.samples.append((now, sum(memory.pss for memory in self._live.memory())))
            if len(self.swaps) < len(due) and now >= due[len(self.swaps)]:
                self.swaps.append(self._swap(now))
                say(f"  {now:.0f} s: swap {self.swaps[-1].status} in {self.swaps[-1].seconds:.1f} s")

    def stop(self) -> None:
        """End, and wait for the end."""
        self._over.set()
        self.join()

    def _swap(self, now: float) -> Swap:
        began = time.monotonic()
        activation = self._activations[len(self.swaps) % len(self._activations)]
        try:
            status, _ = ask(self._live.address, activation, _SWAP_TIMEOUT)
        except (OSError, HTTPError):
            status = 0
        return Swap(now, status, time.monotonic() - began)


def run(conditions: Conditions, minutes: float) -> dict[str, Any]:
    """Measure, print and return the figures for JSON."""
    seconds = 60 * minutes
    cases = _cases(conditions)
    with tempfile.TemporaryDirectory() as folder:
        first, second = twins(conditions.bundle, Path(folder))
        server = Dermport(Path(folder), conditions.workers)
        with running(server, conditions.photos.photos[0]) as live:
            watch = Watch(live, [server.activation(*second), server.activation(*first)], seconds)
            watch.start()
            plan = LoadDuration(seconds, warm_up=0.0)
            outcome = drive(live.address, [stream(server, case) for case in cases], plan)
            watch.stop()
    trend = Trend.of([sample for sample in watch.samples if sample[0] >= _WARM_UP * seconds])
    _show(cases, outcome, watch.swaps, trend)
    return {
        "minutes": minutes,
        "streams": {name: _stream_document(outcome, name) for name in outcome.streams},
        "swaps": [asdict(swap) for swap in watch.swaps],
        "memory": {**asdict(trend), "change": trend.change, "samples": watch.samples},
    }


def twins(bundle: Path, folder: Path) -> tuple[tuple[str, str], tuple[str, str]]:
    """Lay a bundle and its twin of another version below `folder`; return name and version of both."""
    for name in ("first", "second"):
        shutil.copytree(bundle, folder / name, ignore=shutil.ignore_patterns("coreml-*", "tensorrt-*"))
    manifest = Bundle.open(bundle).manifest
    release, _, patch = manifest.version.rpartition(".")
    version = f"{release}.{int(patch) + 1}"
    write_manifest(folder / "second", manifest.model_copy(update={"version": version}))
    return (manifest.name, manifest.version), (manifest.name, version)


def _cases(conditions: Conditions) -> tuple[LoadCase, ...]:
    spec = Bundle.open(conditions.bundle).manifest.preprocessing
    return (
        LoadCase("small", 6, conditions.photos),
        LoadCase("prepared", 2, prepared_by_client(conditions.photos, spec)),
        LoadCase("large", 1, enlarged(conditions.photos.photos[:3], *_CAMERA)),
    )


def _stream_document(outcome: LoadResult, name: str) -> dict[str, Any]:
    counts = outcome.streams[name]
    p50, p99 = (1000 * counts.percentile(percent) if counts.latencies else None for percent in (50, 99))
    return {"answered": counts.answered, "errors": dict(counts.errors), "p50_ms": p50, "p99_ms": p99}


def _show(cases: tuple[LoadCase, ...], outcome: LoadResult, swaps: list[Swap], trend: Trend) -> None:
    rows = []
    for case in cases:
        counts = outcome.streams[case.name]
        p50, p99 = (1000 * counts.percentile(percent) for percent in (50, 99))
        failed = ", ".join(f"{kind} {count}" for kind, count in counts.errors.items()) or "0"
        rows.append(
            (
                f"{case.name} ({case.photos.name})",
                str(case.clients),
                str(counts.answered),
                failed,
                f"{p50:.1f}",
                f"{p99:.1f}",
            )
        )
    title = f"{outcome.seconds / 60:.1f} minutes"
    show(title, ("requests", "clients", "answered", "failed", "p50 ms", "p99 ms"), rows)
    swapped = ", ".join(f"{swap.status} in {swap.seconds:.1f} s" for swap in swaps) or "none"
    print(f"\nHot swaps: {swapped}")
    grown = f"{trend.change:+.1%}, {trend.slope:+.1f} MiB/h"
    print(f"Memory: {trend.first_mib:.0f} MiB at first, {trend.last_mib:.0f} MiB at last ({grown})")
