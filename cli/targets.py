"""``dermport targets``: what can be built and run here, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.options import Json
from cli.output import console, emit_json

if TYPE_CHECKING:
    from exporters.contract import Target


def targets(json: Json = False) -> None:
    """List the export targets: precisions, devices, evidence, and what this machine can do."""
    from exporters.registry import TARGETS

    rows = [_row(target) for target in TARGETS.values()]
    if json:
        emit_json({"targets": rows})
    else:
        _print_table(rows)


def _row(target: Target) -> dict[str, object]:
    capabilities = target.capabilities
    why_not = target.unavailable()
    return {
        "name": capabilities.name,
        "precisions": [recipe.precision for recipe in capabilities.recipes],
        "devices": capabilities.devices,
        "dynamic_batch": capabilities.dynamic_batch,
        "calibrated": [recipe.precision for recipe in capabilities.recipes if recipe.calibrated],
        "builds_on": capabilities.builds_on,
        "evidence": list(capabilities.evidence),
        "exports_here": not why_not,
        "why_not": why_not,
        "runs_here": target.runs_here(),
    }


def _print_table(rows: list[dict[str, object]]) -> None:
    from rich.table import Table

    table = Table("target", "precisions", "devices", "built on", "exports here", "runs here", show_lines=True)
    for row in rows:
        precisions = row["precisions"]
        assert isinstance(precisions, list)
        exports_here = "yes" if row["exports_here"] else f"no: {row['why_not']}"
        cells = (row["name"], ", ".join(precisions), row["devices"], row["builds_on"], exports_here, row["runs_here"])
        table.add_row(*map(str, cells))
    console().print(table)
