"""What is looked up when Prometheus asks: the live model and its load, agreement with the phones, memory, power."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import psutil
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from dermport.errors import DermportError
from dermport.runtimes.power.sensors import Sensors
from dermport.server.serving.live import LiveModel
from dermport.server.sharing.board import Board

_LOG = logging.getLogger("dermport.metrics")


def resident_bytes(processes: Iterable[int]) -> dict[str, int]:
    """Return the resident memory of the processes that answer, in bytes."""
    return {"workers": sum(map(_resident, processes))}


def _resident(number: int) -> int:
    try:
        return int(psutil.Process(number).memory_info().rss)
    except psutil.Error:  # it has ended
        return 0


@dataclass(frozen=True)
class Agreement:
    """How often phones and server gave the same label.

    Attributes:
        model: Name and version of the model.
        artifact: What the phones ran, e.g. ``"tflite-int8"``.
        comparisons: How many were compared.
        share: Share of equal labels.
        low: Lower end of its Wilson interval.
    """

    model: str
    artifact: str
    comparisons: int
    share: float
    low: float


class Gauges(Collector):
    """A collector of the present state; what fails is left out, and logged.

    Args:
        lease: Has the live model for a ``with`` block.
        agreement: Returns the present agreement; it may ask the database.
        sensors: The machine's sensors.
        database_failures: Returns how often the database has failed.
        board: How busy all processes of the server are; None where there is but this one.
    """

    def __init__(
        self,
        lease: Callable[[], AbstractContextManager[LiveModel]],
        agreement: Callable[[], Iterable[Agreement]],
        sensors: Sensors,
        database_failures: Callable[[], int],
        board: Board | None = None,
    ) -> None:
        self._lease = lease
        self._agreement = agreement
        self._sensors = sensors
        self._database_failures = database_failures
        self._board = board

    def collect(self) -> Iterator[Metric]:
        """Yield everything that can be had now."""
        for part in (self._serving, self._storage, self._agreements, self._machine):
            try:
                yield from part()
            except DermportError as error:
                _LOG.warning("some metrics are missing: %s", error.message)

    def _serving(self) -> list[Metric]:
        with self._lease() as live:
            load, model, runtime = live.load(), live.model, live.served_by.name
            ready = not live.proof.complaint and load.slots > 0
        if self._board is not None:
            self._board.publish(load)
            load = self._board.load()
        info = {
            "name": model.name,
            "version": model.version,
            "sha256": model.sha256,
            "artifact_sha256": model.artifact_sha256,
            "target": model.target,
            "precision": model.precision,
            "runtime": runtime,
        }
        return [
            GaugeMetricFamily("dermport_ready", "Whether photos are answered (1) or not (0).", float(ready)),
            InfoMetricFamily("dermport_model", "The live model and what runs it.", info),
            GaugeMetricFamily("dermport_queue_waiting", "Photos that wait for a slot.", load.waiting),
            GaugeMetricFamily("dermport_slots_busy", "Slots at work.", load.busy),
            GaugeMetricFamily("dermport_slots", "Photos (or batches) that can be at work at once.", load.slots),
            CounterMetricFamily(
                "dermport_worker_restarts",
                "Workers that died and were replaced.",
                self._board.lost() if self._board else 0,
            ),
        ]

    def _storage(self) -> list[Metric]:
        words = "Failures of the database, whether or not a request was refused for them."
        return [CounterMetricFamily("dermport_storage_errors", words, self._database_failures())]

    def _agreements(self) -> list[Metric]:
        labels = ("model", "artifact")
        counts = GaugeMetricFamily("dermport_comparisons", "Comparisons with phones.", labels=labels)
        shares = GaugeMetricFamily("dermport_agreement", "Share of comparisons with equal labels.", labels=labels)
        lows = GaugeMetricFamily("dermport_agreement_low", "Lower end of its 95 % Wilson interval.", labels=labels)
        for one in self._agreement():
            for family, value in ((counts, one.comparisons), (shares, one.share), (lows, one.low)):
                family.add_metric((one.model, one.artifact), value)
        return [counts, shares, lows]

    def _machine(self) -> list[Metric]:
        readings = self._sensors.read()
        these = self._board.processes() if self._board else (os.getpid(),)
        joules = CounterMetricFamily(
            "dermport_energy_joules", "Energy since the start, by processor domain.", labels=("domain",)
        )
        for name, value in readings.joules.items():
            joules.add_metric((name,), value)
        return [
            _by("part", "dermport_resident_memory_bytes", "Memory of the server's processes.", resident_bytes(these)),
            _by("rail", "dermport_power_watts", "Power by rail.", readings.watts),
            _by("zone", "dermport_temperature_celsius", "Temperature by zone.", readings.celsius),
            joules,
        ]


def _by(label: str, name: str, words: str, values: dict[str, int] | dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family
