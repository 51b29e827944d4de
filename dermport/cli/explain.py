"""``dermport explain``: what a bundle's model looks at, and whether it is what matters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dermport.cli import output
from dermport.cli.options import BundleArgument, Json, Out
from dermport.cli.output import console, emit_json, new_table, say


def explain(
    bundle: BundleArgument,
    photos: Annotated[list[Path] | None, typer.Argument(metavar="PHOTO…", help="Photos to explain.")] = None,
    out: Out = Path("artifacts/explained"),
    data: Annotated[Path | None, typer.Option("--data", help="Explain photos of this data set's test part.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="With --data: how many photos, evenly spread.")] = 200,
    json: Json = False,
) -> None:
    """Draw what the model looks at over photos, and test by deletion that it is what matters."""
    from dermport.bundle.store import Bundle
    from dermport.workflows.explain import explain as run

    document = run(Bundle.open(bundle), photos or (), out, data=data, limit=limit, progress=output)
    _print(document, out)
    if json:
        emit_json(document)


def _print(document: dict[str, Any], out: Path) -> None:
    table = new_table("cells blurred", *(f"{share:.0%}" for share in document["shares"][::3]), "area")
    for order, curve in document["curves"].items():
        table.add_row(order, *(f"{value:.2f}" for value in curve[::3]), f"{document['areas'][order]:.3f}")
    console().print(table)
    for name, found in document["differences"].items():
        measured = found["low"] is not None
        ends = f"95 % by lesion: {found['low']:+.3f} to {found['high']:+.3f}" if measured else "–: one lesion alone"
        say(
            f"{name}: {found['mean']:+.3f} ({ends}), positive in {found['positive']:.0%} of {document['photos']} photos"
        )
    say(f"Mean probability of the predicted label; overlays and deletion.json in {out}. {document['notice']}")
