"""``dermport benchmark``: how fast and how large the artifacts are on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import BundleArgument, Json, Precision, To
from cli.output import console, emit_json, progress, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporters.benchmark.measure import Benchmark, Measured


def benchmark(
    bundle: BundleArgument,
    to: To = None,
    precision: Precision = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Timed calls of each artifact and batch size.")] = 50,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads of each runtime.")] = 1,
    json: Json = False,
) -> None:
    """Measure latency, time to the first answer, memory and size of whatever this machine can really execute.

    Artifacts take turns, so that they share the machine's noise; ratios are to onnx-fp32 of the same round. What only
    a reference or a stand-in could execute here is left out, with the reason.
    """
    from dataclasses import asdict

    from bundle.store import Bundle
    from cli.verify import selected
    from exporters.benchmark.measure import benchmark as measure

    opened = Bundle.open(bundle)
    exports = selected(opened, to, precision)
    with progress("measuring") as update:
        result = measure(exports, opened.golden().tensors, runs=runs, threads=threads, progress=update)
    _print_table(result)
    if json:
        emit_json(asdict(result))


def _print_table(result: Benchmark) -> None:
    from rich.table import Column, Table

    table = Table(Column("artifact", no_wrap=True), "KiB", "first answer", "memory", "batch", "median", "p90", "ratio")
    for artifact in result.artifacts:
        _add_rows(table.add_row, artifact)
    console().print(table)
    machine = result.machine
    say(
        f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}; "
        f"{result.threads} thread(s), {result.runs} runs; milliseconds a call; ratio: to onnx-fp32, less is faster."
    )
    say(", ".join(sorted({artifact.runtime for artifact in result.artifacts})))
    for name, reason in result.skipped.items():
        say(f"left out: {name}, {reason}")


def _add_rows(add_row: Callable[..., None], artifact: Measured) -> None:
    memory = "–" if artifact.memory_mib is None else f"{artifact.memory_mib:.0f} MiB"
    head = (
        artifact.name,
        f"{artifact.artifact_bytes / 1024:,.0f}",
        f"{artifact.first_answer_s:.2f} s",
        memory,
    )
    for number, latency in enumerate(artifact.latencies):
        ratio = "–" if latency.ratio is None else f"{latency.ratio:.2f}"
        figures = (str(latency.batch), f"{latency.median_ms:.2f}", f"{latency.p90_ms:.2f}", ratio)
        add_row(*(head if number == 0 else ("",) * len(head)), *figures)
