"""Our runtimes and precisions, each beside the limit of its own."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from benchmarks.serving.conditions import Conditions
from benchmarks.serving.limit import InProcessLimit
from benchmarks.serving.rounds import Case, Entry, in_turns
from benchmarks.serving.tables import show, show_failures
from benchmarks.serving.throughput import COLUMNS, cells
from bundle.store import Bundle

_TARGETS = {"onnxruntime": "onnx", "litert": "tflite"}
_PRECISIONS = ("fp32", "int8-cpu", "int8")
_CLIENTS = 8


def run(conditions: Conditions) -> dict[str, Any]:
    """Measure, print and return the figures for JSON."""
    case = Case(f"{_CLIENTS} clients", _CLIENTS, conditions.photos)
    with ExitStack() as stack:
        entries = {
            pair: Entry(
                conditions.ours(*pair),
                stack.enter_context(InProcessLimit(conditions.work(*pair), conditions.workers)),
                (case,),
            )
            for pair in _pairs(conditions)
        }
        results = in_turns(list(entries.values()), conditions)
    times = {}
    for runtime, precision in entries:
        name, base = conditions.ours(runtime, precision).name, conditions.ours(runtime).name
        if name in results.figures and base in results.figures:
            times[name] = results.ratio(name, case.name, base, case.name)
    rows = [(name, *cells(results.median(name, case.name)), f"{times[name]:.2f}") for name in times]
    show(f"{conditions.photos.name} photos, {case.name}", ("server", *COLUMNS, "times fp32"), rows)
    show_failures(results.failures)
    return {**results.document(), "times_fp32": times}


def _pairs(conditions: Conditions) -> list[tuple[str, str]]:
    there = {(export.record.target, export.record.precision) for export in Bundle.open(conditions.bundle).exports()}
    pairs = [(runtime, precision) for runtime in _TARGETS for precision in _PRECISIONS]
    return [(runtime, precision) for runtime, precision in pairs if (_TARGETS[runtime], precision) in there]
