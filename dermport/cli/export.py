"""``dermport export``: a bundle's model for every target and precision."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli.options import BundleArgument, Jobs, Json, Precision, To
from dermport.cli.output import bar, console, emit_json, new_table, say

if TYPE_CHECKING:
    from dermport.exporters.matrix import ExportOutcome

MAPS = False  # whether artifacts give class activation maps where the command does not say


def export(
    bundle: BundleArgument,
    to: To = None,
    precision: Precision = None,
    jobs: Jobs = 0,
    maps: Annotated[
        bool, typer.Option("--maps/--no-maps", help="Give artifacts a second output: the class activation map.")
    ] = MAPS,
    force: Annotated[bool, typer.Option("--force", help="Export even what is finished and unchanged.")] = False,
    json: Json = False,
) -> None:
    """Export the model for every target and precision; what is unchanged costs nothing."""
    from dermport.bundle.store import Bundle
    from dermport.exporters.matrix import export_matrix, with_maps
    from dermport.exporters.registry import select

    started = time.perf_counter()
    selection = with_maps(select(to, precision)) if maps else select(to, precision)
    with bar("exporting") as update:
        outcomes = export_matrix(Bundle.open(bundle), selection, jobs=jobs, force=force, update=update)
    seconds = time.perf_counter() - started
    _print_table(outcomes)
    fresh = sum(outcome.fresh for outcome in outcomes)
    say(
        f"{fresh} exported, {len(outcomes) - fresh} unchanged, in {seconds:.1f} s. Prove them: dermport verify {bundle}"
    )
    if json:
        exports = [o.export.record.model_dump(mode="json", by_alias=True) | {"fresh": o.fresh} for o in outcomes]
        emit_json({"seconds": round(seconds, 2), "exports": exports})


def _print_table(outcomes: list[ExportOutcome]) -> None:
    from rich.markup import escape

    table = new_table("artifact", "KiB", "of Keras", "operators", "seconds", "")
    for outcome in outcomes:
        record = outcome.export.record
        table.add_row(
            outcome.export.path.name,
            f"{record.artifact_bytes / 1024:,.0f}",
            f"{record.size_ratio:.3f}",
            str(sum(operator.count for operator in record.operators)),
            f"{record.seconds:.1f}",
            "exported" if outcome.fresh else "unchanged",
        )
    console().print(table)
    reasons = {outcome.export.record.not_built_because for outcome in outcomes} - {""}
    for reason in sorted(reasons):
        say(escape(f"Engine kits only, no engine: {reason} Build it on the Jetson: dermport build-engine."))
