"""Our runtimes and precisions, each beside the limit of its own."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from benchmarks.serving.conditions import Conditions
from benchmarks.serving.dermport import Dermport
from benchmarks.serving.limit import InProcessLimit
from benchmarks.serving.models import BenchmarkModel
from benchmarks.serving.rounds import Entry, LoadCase, in_turns
from benchmarks.serving.throughput import COLUMNS, cells
from benchmarks.tables import show, show_failures
from dermport.bundle.store import Bundle

_TARGETS = {"onnxruntime": "onnx", "litert": "tflite"}
_PRECISIONS = ("fp32", "int8-cpu", "int8")
_CLIENTS = 8


def run(conditions: Conditions) -> dict[str, Any]:
    """Measure, print and return the figures for JSON."""
    case = LoadCase(f"{_CLIENTS} clients", _CLIENTS, conditions.photos)
    model = conditions.models[0]
    servers = [conditions.ours(model, *pair) for pair in _pairs(model)]
    with ExitStack() as stack:
        limits = {
            server: stack.enter_context(
                InProcessLimit(conditions.work(model, server.runtime, server.precision), conditions.workers)
            )
            for server in servers
        }
        results = in_turns([Entry(server, limit, (case,)) for server, limit in limits.items()], conditions)
    times = {}
    for server in limits:
        name, base = server.name, _base(server).name
        if name in results.figures and base in results.figures:
            times[name] = results.ratio(name, case.name, base, case.name)
    rows = [(name, *cells(results.median(name, case.name)), f"{times[name]:.2f}") for name in times]
    show(f"{conditions.photos.name} photos, {case.name}", ("server", *COLUMNS, "times fp32"), rows)
    show_failures(results.failures)
    return {**results.document(), "times_fp32": times}


def _base(server: Dermport) -> Dermport:
    """Return the server that another one is held against: the same runtime in float32."""
    return replace(server, precision="fp32")


def _pairs(model: BenchmarkModel) -> list[tuple[str, str]]:
    there = {(export.record.target, export.record.precision) for export in Bundle.open(model.bundle).exports()}
    pairs = [(runtime, precision) for runtime in _TARGETS for precision in _PRECISIONS]
    return [(runtime, precision) for runtime, precision in pairs if (_TARGETS[runtime], precision) in there]
