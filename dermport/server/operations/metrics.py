"""What Prometheus is told: counted while requests are answered, and looked up when it asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

from dermport.runtimes.power.sensors import Sensors
from dermport.server.operations.gauges import Agreement, Gauges
from dermport.server.serving.live import LiveModel
from dermport.server.sharing.board import Board

# What every Prometheus reads.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BATCHES = (1, 2, 4, 8, 16, 32)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def share_counts(folder: Path, place: int) -> None:
    """Have what is counted in this process from now on be one sum with what others count.

    Args:
        folder: Where the files of the counts are: in memory, since one on a full disk would end the process.
        place: Tells this process from the others; one that takes its place goes on with its counts.
    """
    folder.mkdir(exist_ok=True, mode=0o700)
    os.environ[_FOLDER] = str(folder)
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: place)  # type: ignore[no-untyped-call]


def no_agreement() -> tuple[Agreement, ...]:
    """Return nothing, for a server that compares nothing."""
    return ()


class ServerMetrics:
    """The figures of one server, in a registry of their own.

    Args:
        lease: Has the live model for a ``with`` block.
        agreement: Returns the present agreement with the phones; it may ask the database.
        sensors: The machine's sensors.
        database_failures: Returns how often the database has failed.
        board: How busy the other processes of the server are.
    """

    def __init__(
        self,
        lease: Callable[[], AbstractContextManager[LiveModel]],
        agreement: Callable[[], Iterable[Agreement]] = no_agreement,
        sensors: Sensors | None = None,
        database_failures: Callable[[], int] = int,
        board: Board | None = None,
    ) -> None:
        self._registry = registry = CollectorRegistry()
        self._present = CollectorRegistry()
        self._children: dict[tuple[object, ...], Any] = {}
        self._requests = Counter(
            "dermport_requests", "Requests answered.", ("route", "method", "status"), registry=registry
        )
        self._problems = Counter(
            "dermport_problems",
            'Requests refused, by problem; "overloaded" is load shed.',
            ("code",),
            registry=registry,
        )
        self._stages = Histogram(
            "dermport_stage_seconds",
            "Where the time of a photo goes.",
            ("stage",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._batches = Histogram(
            "dermport_batch_size",
            "Photos that the runtime answered in the same run, as each of them saw it.",
            buckets=_BATCHES,
            registry=registry,
        )
        self._present.register(Gauges(lease, agreement, sensors or Sensors(), database_failures, board))

    def request(self, route: str, method: str, status: int, problem: str = "") -> None:
        """Count an answered request.

        Args:
            route: Its template, e.g. ``"/v1/models/<name>"``: never a path, of which there is no end.
            method: Its method.
            status: Its HTTP status.
            problem: The code of its problem document; empty where it has none.
        """
        self._child(self._requests, route, method if method in _METHODS else "other", str(status)).inc()
        if problem:
            self._child(self._problems, problem).inc()

    def photo(self, milliseconds: Mapping[str, float], batch: int) -> None:
        """Count an answered photo.

        Args:
            milliseconds: By stage, as :class:`dermport.bundle.wire.Timing` names them.
            batch: How many photos the runtime answered in the same run.
        """
        for stage, taken in milliseconds.items():
            self._child(self._stages, stage).observe(taken / 1000)
        self._batches.observe(batch)

    def _child(self, family: Counter | Histogram, *labels: str) -> Any:
        """Return the counter or histogram of some labels: the family looks for it under a lock."""
        key = (family, *labels)
        if (found := self._children.get(key)) is None:
            found = self._children[key] = family.labels(*labels)
        return found

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        counted = self._registry
        if folder := os.environ.get(_FOLDER):
            counted = CollectorRegistry()
            MultiProcessCollector(counted, folder)  # type: ignore[no-untyped-call]
        return generate_latest(counted) + generate_latest(self._present)
