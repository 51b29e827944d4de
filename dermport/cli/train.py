"""``dermport train``: photos to one trained MobileNetV2 with its evaluation."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli.options import Json
from dermport.cli.requests import asks
from dermport.cli.train_check import check
from dermport.training.request import TrainingRequest

if TYPE_CHECKING:
    from dermport.bundle.store import Bundle


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
        check(request, json)
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
    from dermport.cli.output import say
    from dermport.statistics.metrics import TITLES
    from dermport.statistics.text import in_words

    metrics = bundle.manifest.metrics
    for key in ("accuracy", "balanced_accuracy", "macro_roc_auc", "decision_roc_auc"):
        say(f"{TITLES[key]:<24} {in_words(metrics.figures[key])}")
    say(
        f"[bold]{bundle.path}[/bold]: {metrics.photos:,} test photos; `dermport evaluate {bundle.path}` shows the rest."
    )
