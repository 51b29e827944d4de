"""``dermport cross-validate``: k folds, each a training of its own."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import typer

from dermport.cli.engines import EngineName, Parallel, RayAddress, engine_of
from dermport.cli.options import Json
from dermport.cli.requests import asks
from dermport.training.cross_validation.request import CrossValidationRequest

if TYPE_CHECKING:
    from dermport.training.cross_validation.run import CrossValidationResult
    from dermport.training.engines.engine import Engine


@asks(CrossValidationRequest, without=("split",))
def cross_validate(
    asked: CrossValidationRequest,
    parallel: Parallel = 0,
    engine: EngineName = "processes",
    ray_address: RayAddress = "",
    json: Json = False,
) -> None:
    """Cross-validate: train k folds by group, keep out-of-fold predictions, report mean ± sd and pooled intervals.

    Folds are trained in OUT/fold-1 ... and go on where they were when the same command is given again after a kill.
    """
    from dermport.cli import output

    done = _run(asked, engine_of(engine, parallel, ray_address))
    _print(done)
    if json:
        output.emit_json(done.report.model_dump(mode="json", by_alias=True))


def _run(asked: CrossValidationRequest, engine: Engine) -> CrossValidationResult:
    """Train; where a person or the system stops it, say how to go on, and exit with 130 as shells do."""
    from dermport.cli import output
    from dermport.training.cross_validation.run import cross_validate as run

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(asked, output, engine)
    except KeyboardInterrupt:
        output.say(f"Stopped. What is done is kept in {asked.out}; go on with:\n  {asked.training.command}")
        raise typer.Exit(130) from None


def _print(done: CrossValidationResult) -> None:
    from dermport.bundle.notice import NOTICE
    from dermport.cli.output import console, new_table, say
    from dermport.statistics.metrics import TITLES
    from dermport.statistics.text import in_words
    from dermport.training.cross_validation.files import MARKDOWN, spread_in_words

    report = done.report
    table = new_table("figure", f"{len(report.folds)} folds, mean ± sd", "out of fold")
    for key in ("accuracy", "balanced_accuracy", "macro_roc_auc", "decision_roc_auc", "decision_sensitivity", "ece"):
        table.add_row(TITLES[key], spread_in_words(report.spread[key]), in_words(report.pooled.figures[key]))
    console().print(table)
    say(f"{report.pooled.photos:,} photos, each scored by the one model that had not seen it.")
    say(f"[bold]{done.folder / MARKDOWN}[/bold] tells the rest.")
    if done.kept:
        say(f"Kept: [bold]{done.kept.path}[/bold].")
    say(NOTICE)
