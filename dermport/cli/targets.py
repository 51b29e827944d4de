"""``dermport targets``: what can be built and run here, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dermport.cli.options import Json
from dermport.cli.output import emit_json, say

if TYPE_CHECKING:
    from dermport.exporters.contract import Target


def targets(json: Json = False) -> None:
    """List the export targets: precisions, devices, evidence, and what this machine can do."""
    from dermport.exporters.registry import TARGETS

    rows = [_row(target) for target in TARGETS.values()]
    if json:
        emit_json({"targets": rows})
    else:
        _print_rows(rows)


def _row(target: Target) -> dict[str, Any]:
    capabilities = target.capabilities
    why_not = target.unavailable()
    return {
        "name": capabilities.name,
        "precisions": [recipe.precision for recipe in capabilities.recipes],
        "optional": [recipe.precision for recipe in capabilities.recipes if recipe.optional],
        "devices": capabilities.devices,
        "dynamic_batch": capabilities.dynamic_batch,
        "calibrated": [recipe.precision for recipe in capabilities.recipes if recipe.calibrated],
        "builds_on": capabilities.builds_on,
        "evidence": list(capabilities.evidence),
        "exports_here": not why_not,
        "why_not": why_not,
        "runs_here": target.runs_here(),
    }


def _print_rows(rows: list[dict[str, Any]]) -> None:
    from rich.markup import escape

    for row in rows:
        say(f"[bold]{row['name']}[/bold]  {escape(row['devices'])}")
        usual = [precision for precision in row["precisions"] if precision not in row["optional"]]
        say(f"  precisions    {', '.join(usual)}")
        if row["optional"]:
            say(f"  if named      {', '.join(row['optional'])}")
        say(f"  built on      {escape(row['builds_on'])}")
        say(f"  exports here  {'yes' if row['exports_here'] else 'no: ' + escape(row['why_not'])}")
        say(f"  runs here     {escape(row['runs_here'])}")
