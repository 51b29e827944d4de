"""Throughput and latency at 1, 8 and 32 clients: ours and every peer."""

from __future__ import annotations

from typing import Any

from benchmarks.serving.conditions import Conditions
from benchmarks.serving.limit import InProcessLimit
from benchmarks.serving.rounds import Entry, LoadCase, LoadFigures, Results, in_turns
from benchmarks.tables import show, show_failures

CLIENTS = (1, 8, 32)
COLUMNS = ("photos/s", "of the limit", "p50 ms", "p99 ms", "p99/p50", "errors", "client us")


def cells(figures: LoadFigures) -> tuple[str, ...]:
    """Return a table's cells under :data:`COLUMNS`."""
    return (
        f"{figures.rate:.1f}",
        f"{figures.of_limit:.2f}",
        f"{figures.p50_ms:.1f}",
        f"{figures.p99_ms:.1f}",
        f"{figures.tail:.1f}",
        str(sum(figures.errors.values())),
        f"{figures.own_us:.0f}",
    )


def run(conditions: Conditions) -> dict[str, Any]:
    """Measure, print and return the figures for JSON."""
    cases = tuple(LoadCase(str(clients), clients, conditions.photos) for clients in CLIENTS)
    servers = (conditions.ours(), *conditions.peers)
    with InProcessLimit(conditions.work(), conditions.workers) as limit:
        results = in_turns([Entry(server, limit, cases) for server in servers], conditions)
    rows = [(name, case.name, *cells(results.median(name, case.name))) for case in cases for name in results.figures]
    show(f"{conditions.photos.name} photos", ("server", "clients", *COLUMNS), rows)
    ahead = {case.name: _ahead(results, servers[0].name, case.name) for case in cases}
    show("Ours, times the other's photos a second", ("clients", *next(iter(ahead.values()))), _rows(ahead))
    show_failures(results.failures)
    return {**results.document(), "ours_times_theirs": ahead}


def _ahead(results: Results, ours: str, case: str) -> dict[str, float]:
    """Return how many times ours is each other's rate, by its name."""
    if ours not in results.figures:
        return {}
    return {other: results.ratio(ours, case, other, case) for other in results.figures if other != ours}


def _rows(ahead: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    return [(case, *(f"{times:.2f}" for times in others.values())) for case, others in ahead.items()]
