"""What a client sends: a small photo, a camera's photo, or the prepared tensor as a PNG."""

from __future__ import annotations

from typing import Any

from benchmarks.serving.conditions import Conditions
from benchmarks.serving.limit import InProcessLimit
from benchmarks.serving.photos import drafted, enlarged, prepared_by_client
from benchmarks.serving.rounds import Entry, LoadCase, in_turns
from benchmarks.serving.throughput import COLUMNS, cells
from benchmarks.tables import show, show_failures
from dermport.bundle.store import Bundle

_CLIENTS = 8
_CAMERAS = ((4000, 3000), (6000, 4000))
_LARGE_PHOTOS = 3


def run(conditions: Conditions) -> dict[str, Any]:
    """Measure, print and return the figures for JSON."""
    model = conditions.models[0]
    spec = Bundle.open(model.bundle).manifest.preprocessing
    few = conditions.photos.photos[:_LARGE_PHOTOS]
    prepared = prepared_by_client(conditions.photos, spec)
    cameras = [enlarged(few, *size) for size in _CAMERAS]
    kinds = (prepared, conditions.photos, *cameras, *map(drafted, cameras))
    cases = tuple(LoadCase(photos.name, _CLIENTS, photos) for photos in kinds)
    server = conditions.ours(model)
    with InProcessLimit(conditions.work(model), conditions.workers) as limit:
        results = in_turns([Entry(server, limit, cases)], conditions)
    times = {}
    if server.name in results.figures:
        times = {case.name: results.ratio(server.name, prepared.name, server.name, case.name) for case in cases}
    rows = [
        (case.name, f"{case.photos.kilobytes:.0f}", *cells(results.median(server.name, case.name)), f"{ratio:.2f}")
        for case, ratio in zip(cases, times.values(), strict=False)
    ]
    show(f"{server.name}, {_CLIENTS} clients", ("photo", "kB", *COLUMNS, "prepared, times this"), rows)
    show_failures(results.failures)
    return {
        **results.document(),
        "prepared_times": times,
        "kilobytes": {case.name: case.photos.kilobytes for case in cases},
    }
