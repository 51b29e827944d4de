"""``dermport export``: a bundle's model for every target and precision."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli import output
from dermport.cli.options import BundleArgument, Jobs, Json, Precision, To

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
    from dermport.workflows.export import export as run
    from dermport.workflows.export import require_all

    started = time.perf_counter()
    outcomes = run(Bundle.open(bundle), to, precision, maps=maps, force=force, jobs=jobs, progress=output)
    seconds = time.perf_counter() - started
    _print_table(outcomes)
    fresh, failed = sum(outcome.fresh for outcome in outcomes), sum(outcome.failure is not None for outcome in outcomes)
    output.say(
        f"{fresh} exported, {len(outcomes) - fresh - failed} unchanged{f', {failed} failed' if failed else ''}, "
        f"in {seconds:.1f} s. Prove them: dermport verify {bundle}"
    )
    if json:
        output.emit_json({"seconds": round(seconds, 2), "exports": [_document(outcome) for outcome in outcomes]})
    require_all(outcomes)


def _document(outcome: ExportOutcome) -> dict[str, object]:
    if outcome.failure:
        target, _, precision = outcome.name.partition("-")
        said = {"failed": outcome.failure.message, "remedy": outcome.failure.remedy}
        return {"target": target, "precision": precision, "fresh": False, **said}
    return outcome.export.record.model_dump(mode="json", by_alias=True) | {"fresh": outcome.fresh}


def _print_table(outcomes: list[ExportOutcome]) -> None:
    from rich.markup import escape

    table = output.new_table("artifact", "KiB", "of Keras", "operators", "seconds", "")
    for outcome in outcomes:
        if outcome.failure:
            table.add_row(outcome.name, *["–"] * 4, "[red]failed[/]")
            continue
        record = outcome.export.record
        table.add_row(
            outcome.export.path.name,
            f"{record.artifact_bytes / 1024:,.0f}",
            f"{record.size_ratio:.3f}",
            str(sum(operator.count for operator in record.operators)),
            f"{record.seconds:.1f}",
            "exported" if outcome.fresh else "unchanged",
        )
    output.console().print(table)
    reasons = {outcome.export.record.not_built_because for outcome in outcomes if not outcome.failure} - {""}
    for reason in sorted(reasons):
        output.say(escape(f"Engine kits only, no engine: {reason} Build it on the Jetson: dermport build-engine."))
