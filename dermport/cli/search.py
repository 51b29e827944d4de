"""``dermport search``: combinations of width, resolution, pruning and precision, measured; the Pareto front of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dermport.cli.engines import EngineName, Parallel, RayAddress, engine_of
from dermport.cli.options import Json
from dermport.cli.requests import asks
from dermport.compression.search.request import SearchRequest

if TYPE_CHECKING:
    from dermport.compression.search.finalists import Finalist
    from dermport.compression.search.result import SearchResult
    from dermport.compression.search.search import Search
    from dermport.training.engines.engine import Engine

_MEASURE = "How candidates are measured"
_PICK = "What is picked"
_EACH = 8  # candidates of a worker process: what TensorFlow keeps of each one (200 MB) goes when it is replaced


@asks(SearchRequest)
def search(
    request: SearchRequest,
    write_profile: Annotated[
        Path | None,
        typer.Option(
            "--write-profile",
            help="Write what was timed here as a device profile for --device elsewhere.",
            rich_help_panel=_MEASURE,
        ),
    ] = None,
    budget: Annotated[
        str, typer.Option("--budget", help='Limits that pick one, e.g. "≤1 MB, ≤2 points".', rich_help_panel=_PICK)
    ] = "",
    finalists: Annotated[
        int,
        typer.Option("--finalists", min=0, help="Front points to train fully and test once.", rich_help_panel=_PICK),
    ] = 0,
    finish: Annotated[
        int, typer.Option("--finish", min=1, help="Epochs that finalists are trained for.", rich_help_panel=_PICK)
    ] = 4,
    parallel: Parallel = 0,
    engine: EngineName = "processes",
    ray_address: RayAddress = "",
    json: Json = False,
) -> None:
    """Search combinations of width, resolution, pruning and precision for the best of quality, latency and size.

    Candidates are judged by validation photos and timed on the machine that made them, in turns with the parent; the
    test part is left alone until --finalists. With --parallel, those of one machine wait for each other to be timed,
    nothing else of the search at work there; with --device FILE nobody has to wait. A search that was killed goes on
    when the same command is given again. Exit 1: nothing fits the budget.
    """
    from dermport.compression.search.budget import Budget, parse_budget

    limits = parse_budget(budget) if budget else Budget()
    found, result = _search(request, limits, engine_of(engine, parallel, ray_address, tasks_each=_EACH))
    if write_profile is not None:
        _write_profile(write_profile, result)
    finished = _finish(found, result, finalists, finish)
    if json:
        _emit(found, result, finished)
    if limits.limits and result.picked is None:
        raise typer.Exit(1)


def _search(request: SearchRequest, limits: Any, engine: Engine) -> tuple[Search, SearchResult]:
    """Run the search; what was measured is reported even where a person interrupts it."""
    from dermport.cli import output
    from dermport.compression.search.report import write_report
    from dermport.compression.search.result import result_of
    from dermport.compression.search.search import open_search
    from dermport.errors import UsageError

    opened = open_search(request, output)
    try:
        opened.run(output, engine)
    finally:
        if measured := opened.study.measured:
            result = result_of(measured, limits)
            write_report(request.out, result, opened.about())
    if not measured:
        raise UsageError("No candidate was measured.", remedy="Give the search more --minutes.")
    _print(result, request.out)
    return opened, result


def _print(result: SearchResult, out: Path) -> None:
    from dermport.cli.output import console, new_table, say
    from dermport.compression.search.report import HEAD, basis, row
    from dermport.compression.search.result import verdict

    table = new_table(*HEAD, title="Pareto front")
    for one in result.front:
        style = "bold" if one == result.picked else None
        table.add_row(*row(one), style=style)
    console().print(table)
    say(verdict(result))
    say(basis(result.measured))
    if result.budget.limits:
        say(_picked(result))
    say(f"{len(result.measured)} candidates: {out}/candidates.csv, .json; the front: {out}/pareto.md, .png, .svg")


def _picked(result: SearchResult) -> str:
    from rich.markup import escape

    limits = escape(", ".join(limit.text for limit in result.budget.limits))
    if result.picked is not None:
        return f"The budget ({limits}) picks [bold]no. {result.picked.number}[/]: {result.picked.candidate.name}."
    nearest = result.budget.nearest(result.front)
    broken = ", ".join(limit.text for limit in result.budget.limits if not limit.holds(nearest))
    return (
        f"[yellow]Nothing fits the budget ({limits}).[/] The nearest is no. {nearest.number}, "
        f"{nearest.candidate.name}: beyond {escape(broken)}."
    )


def _write_profile(path: Path, result: SearchResult) -> None:
    from dermport.cli.output import say
    from dermport.compression.search.profile import from_search, write_profile

    write_profile(path, from_search(result.measured))
    say(f"{path}: what was timed here, for `--device {path}` elsewhere.")


def _finish(opened: Search, result: SearchResult, count: int, epochs: int) -> tuple[Finalist, ...]:
    if not count:
        return ()
    from dermport.cli import output
    from dermport.compression.search.finalists import train_finalists

    chosen = result.budget.order(result.front)[:count]
    finished = train_finalists(opened, chosen, epochs=epochs, progress=output)
    _print_finalists(finished)
    return finished


def _print_finalists(finished: tuple[Finalist, ...]) -> None:
    from dermport.cli.output import console, new_table, say

    table = new_table("no.", "bundle", "artifact", "MB", "bal. acc.", "change", "accuracy", "agreement")
    for one in finished:
        quality, accuracy = one.test["balanced_accuracy"], one.test["accuracy"]
        table.add_row(
            str(one.number),
            one.bundle,
            one.export,
            f"{one.artifact_bytes / 1e6:.2f}",
            _figure(quality.artifact),
            f"{_figure(quality.change, '+.3f')} ({_figure(quality.low, '+.3f')} to {_figure(quality.high, '+.3f')})",
            _figure(accuracy.artifact),
            f"{one.agreement:.3f}",
        )
    console().print(table)
    if finished:
        say(
            f"On {finished[0].photos:,} test photos, once; changes from the parent's float32, 95 % intervals by lesion."
        )


def _figure(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else format(value, form)


def _emit(opened: Search, result: SearchResult, finished: tuple[Finalist, ...]) -> None:
    from dermport.cli.output import emit_json
    from dermport.compression.search.report import document

    emit_json(document(result, opened.about()) | {"finalists": [one.model_dump(mode="json") for one in finished]})
