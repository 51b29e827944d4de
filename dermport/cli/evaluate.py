"""``dermport evaluate``: the figures of a bundle's model, saved or scored afresh, with their intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dermport.cli import output
from dermport.cli.options import BundleArgument, Json, PartOfData


def evaluate(
    bundle: BundleArgument,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Score model.keras on these photos. Default: show the bundle's saved figures."),
    ] = None,
    part: PartOfData = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="OTHER", help="With --data: compare with this bundle, on the same photos."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="With --data: folder for figures, tables and charts; must not exist yet."),
    ] = None,
    json: Json = False,
) -> None:
    """Show how good a model is, class by class, with bootstrap intervals by lesion; the bundle is never changed."""
    from dermport.bundle.store import Bundle
    from dermport.cli.evaluate_tables import print_report
    from dermport.errors import UsageError
    from dermport.workflows.evaluate import evaluate as score
    from dermport.workflows.evaluate import saved_evaluation

    opened = Bundle.open(bundle)
    if data is not None:
        other = Bundle.open(against) if against else None
        result = score(opened, data, part, against=other, out=out, progress=output)
        if out is not None:
            output.say(f"Written to [bold]{out}[/bold].")
    elif part or out or against:
        raise UsageError("--part, --against and --out need photos to score.", remedy="Name the data set: --data DIR.")
    else:
        output.say(f"Saved with {opened.path}; nothing was run. To score the model again: --data DIR.")
        result = saved_evaluation(opened)
    print_report(result.report)
    if json:
        output.emit_json(result.report.model_dump(mode="json", by_alias=True))
