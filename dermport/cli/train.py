"""``dermport train``: photos to one trained MobileNetV2 with its evaluation."""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli.options import Json
from dermport.cli.requests import asks
from dermport.training.request import TrainingRequest

if TYPE_CHECKING:
    from dermport.bundle.store import Bundle
    from dermport.training.dry_run import DryRun


@asks(TrainingRequest)
def train(
    request: TrainingRequest,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check photos, weights, memory and disk, time a few steps, and write nothing."),
    ] = False,
    json: Json = False,
) -> None:
    """Train a MobileNetV2 on photos and write a bundle: model, golden set, split, figures, charts, model card.

    A training that was killed or stopped (Ctrl-C) goes on after its last whole epoch when the same command is given
    again, to the same result.
    """
    from dermport.cli import output

    if dry_run:
        _check(request, json)
        return
    bundle = _trained(request)
    _print(bundle)
    if json:
        output.emit_json(bundle.manifest.model_dump(mode="json", by_alias=True))


def _trained(request: TrainingRequest) -> Bundle:
    """Train; where a person or the system stops it, say how to go on, and exit with 130 as shells do."""
    from dermport.cli import output
    from dermport.training.pipeline import train as run
    from dermport.training.run import run_folder

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(request, output)
    except KeyboardInterrupt:
        folder = run_folder(request.out)
        if folder.is_dir():
            output.say(f"Stopped. What is done is kept in {folder}; go on with:\n  {request.command}")
        else:
            output.say("Stopped before anything was written.")
        raise typer.Exit(130) from None


def _print(bundle: Bundle) -> None:
    from dermport.cli.evaluate_tables import say_doubt
    from dermport.cli.output import say
    from dermport.statistics.metrics import TITLES
    from dermport.statistics.text import in_words

    metrics = bundle.manifest.known_metrics
    for key in ("accuracy", "balanced_accuracy", "macro_roc_auc", "decision_roc_auc"):
        say(f"{TITLES[key]:<24} {in_words(metrics.figures[key])}")
    say(
        f"[bold]{bundle.path}[/bold]: {metrics.photos:,} test photos; `dermport evaluate {bundle.path}` shows the rest."
    )
    say_doubt(bundle)


def _check(request: TrainingRequest, json: bool) -> None:
    """Check a training and print what it would take.

    Raises:
        typer.Exit: With 1, where it does not fit this machine.
    """
    from dermport.cli import output
    from dermport.training.dry_run import dry_run

    found = dry_run(request, output)
    _print_check(found)
    if json:
        output.emit_json(found.to_json())
    if not found.fits:
        raise typer.Exit(1)


def _print_check(found: DryRun) -> None:
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
