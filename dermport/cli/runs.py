"""``dermport runs``: what was trained and what is under way, side by side."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dermport.training.runs.registry import RunEntry

_SHOWN = ("accuracy", "balanced_accuracy", "macro_roc_auc", "decision_roc_auc")
_SHORT = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "macro_roc_auc": "AUC",
    "decision_roc_auc": "AUC dec.",
}


def runs(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER | RUN RUN ...]", help="A folder to list (artifacts), or runs to compare."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Draw the compared runs' curves to this PNG.")] = None,
    json: Json = False,
) -> None:
    """List bundles and unfinished trainings with what they differ in, or compare two or more of them."""
    from dermport.cli.output import emit_json
    from dermport.errors import UsageError
    from dermport.training.runs.registry import differing, find_runs, open_entry

    named = paths or [Path("artifacts")]
    comparing = len(named) > 1
    if out and not comparing:
        raise UsageError("--out draws the curves of runs that are compared.", remedy="Name two runs or more.")
    entries = [open_entry(path) for path in named] if comparing else find_runs(named[0])
    differences = differing(entries)
    if comparing:
        _compare(entries, differences)
    else:
        _list(entries)
    if out:
        _draw(entries, out)
    if json:
        emit_json({"differing": differences, "runs": [one.to_json() for one in entries]})


def _list(entries: Sequence[RunEntry]) -> None:
    from dermport.bundle.notice import NOTICE
    from dermport.cli.output import console, new_table, say

    if not entries:
        say("No bundle and no unfinished training there.")
        return
    table = new_table("run", *(_SHORT[name] for name in _SHOWN), "trained", "differs in")
    for one in entries:
        common = _commonest([other for other in entries if other.options.get("command") == one.options.get("command")])
        own = [f"{name} {value}" for name, value in one.options.items() if _tells(name, value, common)]
        table.add_row(one.name, *_values(one), _time(one), "; ".join(filter(None, (one.note, ", ".join(own)))))
    console().print(table)
    _warn(entries)
    say(NOTICE)


def _compare(entries: Sequence[RunEntry], differences: Sequence[str]) -> None:
    from dermport.bundle.notice import NOTICE
    from dermport.cli.output import console, new_table, say
    from dermport.statistics.metrics import TITLES
    from dermport.statistics.text import in_words

    table = new_table("", *(one.name for one in entries))
    for name in differences:
        table.add_row(f"--{name}" if name != "command" else name, *(one.options.get(name, "") for one in entries))
    if differences:
        table.add_section()
    for name, title in TITLES.items():
        if any(name in one.figures for one in entries):
            found = [one.figures.get(name) for one in entries]
            table.add_row(title, *("" if metric is None else in_words(metric) for metric in found))
    table.add_row("Training time", *(_time(one) for one in entries))
    table.add_row("State", *(f"{one.state} {one.note}".strip() for one in entries))
    console().print(table)
    _warn(entries)
    say(NOTICE)


def _draw(entries: Sequence[RunEntry], out: Path) -> None:
    from dermport.cli.output import say
    from dermport.figures.training import draw_runs

    draw_runs(out, {one.name: one.curves() for one in entries})
    say(f"Curves: {out}")


def _warn(entries: Sequence[RunEntry]) -> None:
    from dermport.cli.output import say

    if len({one.tested_on for one in entries if one.tested_on}) > 1:
        say(
            "[yellow]Not all of them were tested on the same photos: their figures differ for that reason too.[/yellow]"
        )


def _commonest(entries: Sequence[RunEntry]) -> dict[str, str]:
    """Return the value of each option that most of the runs have."""
    found = dict[str, str]()
    for name in {name for one in entries for name in one.options}:
        values = [one.options.get(name, "") for one in entries]
        found[name] = max(sorted(set(values)), key=values.count)
    return found


def _tells(name: str, value: str, common: dict[str, str]) -> bool:
    return name in ("from", "recipe") or value != common[name]


def _values(one: RunEntry) -> list[str]:
    found = [one.figures.get(name) for name in _SHOWN]
    return ["" if metric is None or metric.value is None else f"{metric.value:.3f}" for metric in found]


def _time(one: RunEntry) -> str:
    return str(timedelta(seconds=round(one.seconds))) if one.seconds else ""
