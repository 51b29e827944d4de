"""Throughput, latency and memory at 1, 8, 32 and 128 clients, of every model: ours and every peer; and the goals."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from benchmarks.serving.conditions import Conditions
from benchmarks.serving.goals import COMPARISONS, goals_of, show_goals
from benchmarks.serving.limit import InProcessLimit
from benchmarks.serving.models import BenchmarkModel
from benchmarks.serving.rounds import Entry, Footprint, LoadCase, LoadFigures, Results, in_turns
from benchmarks.tables import say, show, show_failures

CLIENTS = (1, 8, 32, 128)
COLUMNS = ("photos/s", "of the limit", "p50 ms", "p99 ms", "p99/p50", "errors", "CPU ms", "client us", "client share")
_COMPARING = 8


def cells(figures: LoadFigures) -> tuple[str, ...]:
    """Return a table's cells under :data:`COLUMNS`."""
    return (
        f"{figures.rate:.1f}",
        f"{figures.of_limit:.2f}",
        f"{figures.p50_ms:.1f}",
        f"{figures.p99_ms:.1f}",
        f"{figures.tail:.1f}",
        ", ".join(f"{kind} {count}" for kind, count in figures.errors.items()) or "0",
        f"{figures.cpu_ms:.2f}",
        f"{figures.own_us:.0f}",
        f"{figures.own_share:.2f}",
    )


def run(conditions: Conditions) -> dict[str, Any]:
    """Measure, print and return the figures for JSON, by model, with the goals."""
    found = {}
    for model in conditions.models:
        say(f"model {model.name} ({model.precision})")
        found[model.name] = _of_model(model, conditions)
    goals = goals_of(found)
    show_goals(goals)
    return {"models": found, "goals": [goal.document() for goal in goals]}


def _of_model(model: BenchmarkModel, conditions: Conditions) -> dict[str, Any]:
    cases = tuple(LoadCase(str(clients), clients, conditions.photos) for clients in CLIENTS)
    compared = LoadCase(COMPARISONS, _COMPARING, conditions.photos, compares=True)
    servers = conditions.servers(model)
    ours = servers[0].name
    with InProcessLimit(conditions.work(model), conditions.workers) as limit:
        entries = [Entry(server, limit, (*cases, compared) if server.name == ours else cases) for server in servers]
        results = in_turns(entries, conditions)
    _show(model, results, conditions)
    ahead = {case.name: _ahead(results, ours, case.name) for case in cases}
    whole = [server.name for server in servers if server.whole and server.name in results.figures]
    return {**results.document(), "ours": ours, "whole_answers": whole, "ours_times_theirs": ahead}


def _ahead(results: Results, ours: str, case: str) -> dict[str, float]:
    """Return how many times ours is each other's rate, by its name."""
    if ours not in results.figures:
        return {}
    return {other: results.ratio(ours, case, other, case) for other in results.figures if other != ours}


def _show(model: BenchmarkModel, results: Results, conditions: Conditions) -> None:
    rows = [
        (name, case, *cells(results.median(name, case))) for name, cases in results.figures.items() for case in cases
    ]
    title = f"{model.name} ({model.precision}), {conditions.photos.name} photos"
    show(title, ("server", "clients", *COLUMNS), sorted(rows, key=lambda row: row[1].zfill(9)))
    names = tuple(one.name for one in fields(Footprint))
    medians = {name: Footprint.median(rounds) for name, rounds in results.footprints.items()}
    memory = [(name, *(f"{getattr(one, field):.4g}" for field in names)) for name, one in medians.items()]
    show("Seconds from start to first answer, MiB after all loads", ("server", *names), memory)
    show_failures(results.failures)
