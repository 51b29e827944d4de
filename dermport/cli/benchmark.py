"""``dermport benchmark``: what artifacts cost on this machine, and what they still know."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from dermport.cli import output
from dermport.cli.options import Json, PartOfData, Precision, To

_BATCHES = (8, 32)


def benchmark(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[BUNDLE]...", help="Bundle folders; the others are held against the first one."),
    ] = None,
    to: To = None,
    precision: Precision = None,
    exports: Annotated[
        str | None, typer.Option("--exports", help="Only these, e.g. onnx-fp32,tflite-int8. Default: all.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Measure accuracy on this data set. Default: agreement on the golden set."),
    ] = None,
    part: PartOfData = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Rounds of each pass and batch size.")] = 50,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Passes, each in another order.")] = 3,
    batch: Annotated[
        list[int] | None,
        typer.Option("--batch", min=2, help="Batch size beside 1; may be repeated. Default: 8, 32."),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads of each runtime.")] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for benchmark.json and the report; must not exist yet.")
    ] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", help="Earlier benchmark.json to judge by; exit 1 if anything is worse.")
    ] = None,
    merge: Annotated[
        list[Path] | None, typer.Option("--merge", help="benchmark.json of another machine; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure size, speed, memory, energy and accuracy of exports side by side; report, compare and merge results.

    Every export runs in a process of its own; they take turns, so that they share the machine's noise. Ratios are to
    the first bundle's fp32 export, which is measured too. What only a reference or a stand-in can execute here gets
    accuracy, but no speed. Without bundles, --merge and --compare work on files alone.
    """
    from dermport.bundle.store import Bundle
    from dermport.cli.benchmark_tables import print_comparison, print_result
    from dermport.exporters.benchmark.files import read_result
    from dermport.workflows.benchmark import benchmark as measure
    from dermport.workflows.benchmark import default_settings

    _refuse_nonsense(bundles, merge, out)
    earlier = read_result(compare) if compare else None
    report = measure(
        [Bundle.open(path) for path in bundles or ()],
        data,
        part,
        to=to,
        precision=precision,
        exports=[name.strip() for name in (exports or "").split(",") if name.strip()],
        settings=default_settings(runs, repeats, batch or _BATCHES, threads),
        merged=[read_result(path) for path in merge or ()],
        earlier=earlier,
        command=shlex.join(["dermport", *sys.argv[1:]]),
        progress=output,
    )
    comparison = report.comparison
    print_result(report.result)
    if comparison is not None:
        print_comparison(comparison)
    if out is not None:
        output.say(f"Written into {out}: {', '.join(path.name for path in report.write(out))}")
    if json:
        document = report.result.model_dump(mode="json", by_alias=True)
        output.emit_json(document | ({"comparison": comparison.model_dump(mode="json")} if comparison else {}))
    raise typer.Exit(int(bool(comparison and comparison.worse)))


def _refuse_nonsense(bundles: list[Path] | None, merge: list[Path] | None, out: Path | None) -> None:
    from dermport.errors import UsageError

    if not bundles and not merge:
        raise UsageError("Nothing is named to measure.", remedy="Name bundles, or files with --merge.")
    if out is not None and out.exists():
        raise UsageError(f"{out} exists already.", remedy="Name a folder that does not.")
