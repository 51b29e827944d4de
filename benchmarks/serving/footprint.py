"""Seconds from start to the first answer, and resident memory under load: ours and every peer."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.serving.conditions import Conditions
from benchmarks.serving.load import drive
from benchmarks.serving.processes import Memory
from benchmarks.serving.rounds import LoadCase, stream
from benchmarks.serving.servers import Server, running
from benchmarks.tables import say, show, show_failures
from dermport.errors import UnavailableError

_CLIENTS = 8


@dataclass(frozen=True)
class Footprint:
    """One server in one round.

    Attributes:
        seconds: From its start to its first answer.
        processes: The memory of each of its processes, right after a load.
    """

    seconds: float
    processes: tuple[Memory, ...]

    @property
    def largest(self) -> Memory:
        """The process with the most resident memory."""
        return max(self.processes, key=lambda memory: memory.rss)

    @property
    def total(self) -> float:
        """MiB of all processes together, pages that they share counted once."""
        return sum(memory.pss for memory in self.processes)


def run(conditions: Conditions) -> dict[str, Any]:
    """Measure, print and return the figures for JSON."""
    case = LoadCase("load", _CLIENTS, conditions.photos)
    found: dict[str, list[Footprint]] = {}
    failures: dict[str, str] = {}
    for number in range(conditions.rounds):
        for server in (conditions.ours(), conditions.ours("litert"), *conditions.peers):
            if server.name in failures:
                continue
            say(f"round {number + 1} of {conditions.rounds}: {server.name}")
            try:
                measured = _measure(server, case, conditions)
            except UnavailableError as error:
                failures[server.name] = error.message
                found.pop(server.name, None)
                continue
            found.setdefault(server.name, []).append(measured)
    columns = ("server", "start s", "processes", "largest RSS MiB", "largest PSS MiB", "total PSS MiB")
    show(
        f"From start to first answer, and memory after {_CLIENTS} clients",
        columns,
        [_row(*one) for one in found.items()],
    )
    show_failures(failures)
    return {"servers": {name: [asdict(one) for one in rounds] for name, rounds in found.items()}, "failures": failures}


def _measure(server: Server, case: LoadCase, conditions: Conditions) -> Footprint:
    with running(server, case.photos.photos[0]) as live:
        drive(live.address, [stream(server, case)], conditions.plan)
        return Footprint(live.seconds, tuple(live.memory()))


def _row(name: str, rounds: list[Footprint]) -> tuple[str, ...]:
    medians = (
        statistics.median(one.largest.rss for one in rounds),
        statistics.median(one.largest.pss for one in rounds),
        statistics.median(one.total for one in rounds),
    )
    seconds = statistics.median(one.seconds for one in rounds)
    return (name, f"{seconds:.2f}", str(len(rounds[-1].processes)), *(f"{value:.0f}" for value in medians))
