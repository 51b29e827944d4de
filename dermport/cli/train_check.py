"""``dermport train --dry-run``: what the training would take."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from dermport.training.dry_run import DryRun
    from dermport.training.request import TrainingRequest


def check(request: TrainingRequest, json: bool) -> None:
    """Check a training and print what it would take.

    Raises:
        typer.Exit: With 1, where it does not fit this machine.
    """
    from dermport.cli import output
    from dermport.training.dry_run import dry_run

    found = dry_run(request, output)
    _print(found)
    if json:
        output.emit_json(found.to_json())
    if not found.fits:
        raise typer.Exit(1)


def _print(found: DryRun) -> None:
    from dermport.cli.output import console, new_table, say

    table = new_table("step", "about")
    for what, seconds in {**found.seconds, "in all": sum(found.seconds.values())}.items():
        table.add_row(what, str(timedelta(seconds=round(seconds))))
    console().print(table)
    available = "not known" if found.memory_available is None else _in_words(found.memory_available)
    say(f"Memory: {_in_words(found.memory)} at its peak (measured here); there is {available}.")
    say(f"Disk: {_in_words(found.disk)}; free are {_in_words(found.disk_free)}.")
    say("It fits. Nothing was written." if found.fits else "[red]It does not fit.[/red] Nothing was written.")


def _in_words(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
