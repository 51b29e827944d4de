"""Large photos: whether small requests starve beside them, and whether memory stays bounded as more of them come."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.serving.conditions import Conditions
from benchmarks.serving.load import LoadResult, drive
from benchmarks.serving.photos import RequestPhotos, enlarged
from benchmarks.serving.processes import forget_peaks, memory_of, tree
from benchmarks.serving.rounds import LoadCase, stream
from benchmarks.serving.servers import Running, Server, running
from benchmarks.tables import say, show, show_failures
from dermport.errors import UnavailableError

SMALL_CLIENTS = 8
LARGE_CLIENTS = (0, 2, 8)
_SIZE = (6000, 4000)
_LARGE_PHOTOS = 3


@dataclass(frozen=True)
class Beside:
    """Small requests beside so many clients that send large photos, in one round.

    Attributes:
        small_rate: Small photos answered in a second.
        small_p50_ms: Their median latency, milliseconds.
        small_p99_ms: The 99th percentile of their latencies, milliseconds.
        large_rate: Large photos answered in a second.
        large_p99_ms: The 99th percentile of their latencies, milliseconds; None where there are none.
        errors: Requests that were not answered, or not with 200.
        peak_mib: The largest resident memory that any one process reached.
        peaks_mib: The sum of what each process reached at most.
    """

    small_rate: float
    small_p50_ms: float
    small_p99_ms: float
    large_rate: float
    large_p99_ms: float | None
    errors: int
    peak_mib: float
    peaks_mib: float


def run(conditions: Conditions) -> dict[str, Any]:
    """Measure, print and return the figures for JSON."""
    large = enlarged(conditions.photos.photos[:_LARGE_PHOTOS], *_SIZE)
    found: dict[str, dict[int, list[Beside]]] = {}
    failures: dict[str, str] = {}
    for number in range(conditions.rounds):
        for server in conditions.servers(conditions.models[0]):
            if server.name in failures:
                continue
            say(f"round {number + 1} of {conditions.rounds}: {server.name}")
            try:
                measured = _measure(server, large, conditions)
            except UnavailableError as error:
                failures[server.name] = error.message
                found.pop(server.name, None)
                continue
            for clients, beside in measured.items():
                found.setdefault(server.name, {}).setdefault(clients, []).append(beside)
    _show(found, large)
    show_failures(failures)
    servers = {
        name: {str(clients): [asdict(one) for one in rounds] for clients, rounds in measured.items()}
        for name, measured in found.items()
    }
    return {"photos": large.name, "servers": servers, "failures": failures}


def _measure(server: Server, large: RequestPhotos, conditions: Conditions) -> dict[int, Beside]:
    small = LoadCase("small", SMALL_CLIENTS, conditions.photos)
    with running(server, conditions.photos.photos[0]) as live:
        return {
            clients: _beside(live, (small, *([LoadCase("large", clients, large)] if clients else ())), conditions)
            for clients in LARGE_CLIENTS
        }


def _beside(live: Running, cases: tuple[LoadCase, ...], conditions: Conditions) -> Beside:
    forget_peaks(tree(live.pid))
    outcome = drive(live.address, [stream(live.server, case) for case in cases], conditions.plan)
    peaks = [memory.peak for memory in memory_of(tree(live.pid))]
    if not outcome.streams["small"].latencies:
        raise UnavailableError(f"no small photo was answered; errors: {dict(outcome.streams['small'].errors)}")
    return _figures(outcome, peaks)


def _figures(outcome: LoadResult, peaks: list[float]) -> Beside:
    small, large = outcome.streams["small"], outcome.streams.get("large")
    return Beside(
        small_rate=small.answered / outcome.seconds,
        small_p50_ms=1000 * small.percentile(50),
        small_p99_ms=1000 * small.percentile(99),
        large_rate=large.answered / outcome.seconds if large else 0.0,
        large_p99_ms=1000 * large.percentile(99) if large and large.latencies else None,
        errors=sum(sum(counts.errors.values()) for counts in outcome.streams.values()),
        peak_mib=max(peaks),
        peaks_mib=sum(peaks),
    )


def _show(found: dict[str, dict[int, list[Beside]]], large: RequestPhotos) -> None:
    columns = (
        "small/s",
        "small p50 ms",
        "small p99 ms",
        "large/s",
        "large p99 ms",
        "errors",
        "peak MiB",
        "all peaks MiB",
    )
    rows = [(name, str(clients), *_cells(rounds)) for name, cases in found.items() for clients, rounds in cases.items()]
    title = f"{SMALL_CLIENTS} clients with small photos beside some with {large.name} ({large.kilobytes:.0f} kB)"
    show(title, ("server", "large clients", *columns), rows)


def _cells(rounds: list[Beside]) -> tuple[str, ...]:
    names = ("small_rate", "small_p50_ms", "small_p99_ms", "large_rate")
    tails = [one.large_p99_ms for one in rounds if one.large_p99_ms is not None]
    return (
        *(f"{statistics.median(getattr(one, name) for one in rounds):.1f}" for name in names),
        f"{statistics.median(tails):.0f}" if tails else "",
        str(sum(one.errors for one in rounds)),
        f"{statistics.median(one.peak_mib for one in rounds):.0f}",
        f"{statistics.median(one.peaks_mib for one in rounds):.0f}",
    )
