"""Whether every server answers what the model says: one start each, no load."""

from __future__ import annotations

from typing import Any

from benchmarks.serving.conditions import Conditions
from benchmarks.serving.limit import InProcessLimit
from benchmarks.serving.rounds import TOLERANCE, check
from benchmarks.serving.servers import running
from benchmarks.tables import say, show, show_failures
from dermport.errors import UnavailableError


def run(conditions: Conditions) -> dict[str, Any]:
    """Ask each server for a few photos, print and return by how much its probabilities differ at most."""
    found: dict[str, float] = {}
    failures: dict[str, str] = {}
    with InProcessLimit(conditions.work(), 1) as limit:
        for server in (conditions.ours(), *conditions.peers):
            say(server.name)
            try:
                with running(server, conditions.photos.photos[0]) as live:
                    found[server.name] = check(live, limit, conditions.photos)
            except UnavailableError as error:
                failures[server.name] = error.message
    rows = [(name, f"{worst:.1e}") for name, worst in found.items()]
    show(
        f"Largest difference from the in-process probabilities (at most {TOLERANCE:g})", ("server", "difference"), rows
    )
    show_failures(failures)
    return {"largest_difference": found, "failures": failures}
