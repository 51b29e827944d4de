"""``dermport benchmark``: what artifacts cost on this machine, and what they still know."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli import output
from dermport.cli.options import Json, Precision, To
from dermport.cli.output import bar, emit_json, say

if TYPE_CHECKING:
    from dermport.bundle.benchmark_record import BenchmarkResult, BenchmarkSettings
    from dermport.exporters.benchmark.comparison import Comparison

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
    part: Annotated[str, typer.Option("--part", help="With --data: train, validation, test, or all.")] = "test",
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
    from dermport.exporters.benchmark.files import read_result

    _refuse_nonsense(bundles, merge, out)
    earlier = read_result(compare) if compare else None
    results = [read_result(path) for path in merge or ()]
    if bundles:
        choice = _Choice(tuple(bundles), to, precision, exports, data, part)
        results.insert(0, _measured(choice, _settings(runs, repeats, batch, threads)))
    result = _merged(results)
    comparison = _compared(result, earlier) if earlier else None
    _show(result, comparison)
    if out is not None:
        _write(result, comparison, out)
    if json:
        document = result.model_dump(mode="json", by_alias=True)
        emit_json(document | ({"comparison": comparison.model_dump(mode="json")} if comparison else {}))
    raise typer.Exit(int(bool(comparison and comparison.worse)))


@dataclass(frozen=True)
class _Choice:
    """What the user named to measure, and on which photos."""

    bundles: tuple[Path, ...]
    to: list[str] | None
    precision: list[str] | None
    exports: str | None
    data: Path | None
    part: str


def _refuse_nonsense(bundles: list[Path] | None, merge: list[Path] | None, out: Path | None) -> None:
    from dermport.errors import UsageError

    if not bundles and not merge:
        raise UsageError("Nothing is named to measure.", remedy="Name bundles, or files with --merge.")
    if out is not None and out.exists():
        raise UsageError(f"{out} exists already.", remedy="Name a folder that does not.")


def _settings(runs: int, repeats: int, batch: list[int] | None, threads: int) -> BenchmarkSettings:
    from dermport.bundle.benchmark_record import BenchmarkSettings

    batches = (1, *sorted(set(batch or _BATCHES)))
    return BenchmarkSettings(runs=runs, repeats=repeats, warm_up=3, threads=threads, batches=batches, seed=0)


def _measured(choice: _Choice, settings: BenchmarkSettings) -> BenchmarkResult:
    from dermport.bundle.photo_set import golden_photos
    from dermport.bundle.store import Bundle
    from dermport.exporters.benchmark.candidates import choose
    from dermport.exporters.benchmark.measure import benchmark as measure
    from dermport.workflows.photos import read_photos

    bundles = [Bundle.open(path) for path in choice.bundles]
    names = [name.strip() for name in (choice.exports or "").split(",") if name.strip()]
    candidates = choose(bundles, targets=choice.to, precisions=choice.precision, names=names)
    first, *others = bundles
    photos = (
        read_photos(first, choice.data, choice.part, others=others, progress=output)
        if choice.data
        else golden_photos(first)
    )
    return measure(candidates, photos, settings, command=shlex.join(["dermport", *sys.argv[1:]]), phase=bar)


def _merged(results: list[BenchmarkResult]) -> BenchmarkResult:
    from dermport.exporters.benchmark.merge import merge

    return results[0] if len(results) == 1 else merge(results)


def _compared(result: BenchmarkResult, earlier: BenchmarkResult) -> Comparison:
    from dermport.exporters.benchmark.compare import compare

    return compare(result, earlier)


def _show(result: BenchmarkResult, comparison: Comparison | None) -> None:
    from dermport.cli.benchmark_tables import print_comparison, print_result

    print_result(result)
    if comparison is not None:
        print_comparison(comparison)


def _write(result: BenchmarkResult, comparison: Comparison | None, out: Path) -> None:
    from dermport.bundle.atomic import atomic_directory
    from dermport.exporters.benchmark.report import write_report

    with atomic_directory(out) as folder:
        names = [path.name for path in write_report(result, folder, comparison)]
    say(f"Written into {out}: {', '.join(names)}")
