"""``dermport verify``: the proof of every artifact against the original."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli import output
from dermport.cli.options import BundleArgument, Json, PartOfData, Precision, To
from dermport.errors import ArtifactsFailedError, DermportError

if TYPE_CHECKING:
    from dermport.bundle.export_record import Parity
    from dermport.bundle.store import Export
    from dermport.workflows.verify import Verification

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "error": "red"}


def verify(
    bundle: BundleArgument,
    to: To = None,
    precision: Precision = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Compare on this data set's photos instead of the golden set.")
    ] = None,
    part: PartOfData = None,
    policy: Annotated[Path | None, typer.Option("--policy", help="Policy file; default: dermport's own.")] = None,
    json: Json = False,
) -> None:
    """Read every artifact back from disk, execute it, and hold it against the original; exit 1 if one fails."""
    from dermport.bundle.store import Bundle
    from dermport.workflows.verify import verify as prove

    found = prove(Bundle.open(bundle), data, part, to=to, precision=precision, policy=policy, progress=output)
    _print(found)
    if json:
        proved = [_document(export, parity) for export, parity in found.proofs]
        unproved = [_unproved(*failure) for failure in found.failures.items()]
        output.emit_json({"artifacts": [*proved, *unproved], "blind": found.blind})
    if found.failures:
        raise ArtifactsFailedError(found.failures, "proved", len(found.proofs) + len(found.failures))
    raise typer.Exit(int(not found.passed))


def _print(found: Verification) -> None:
    """Print one line for each artifact, and the reason below whatever did not pass."""
    from rich.markup import escape

    from dermport.bundle.export_record import EVIDENCE_MEANING

    columns, rows = found.table()
    table = output.new_table(*columns)
    for name, status, *cells in rows:
        table.add_row(name, f"[{_COLOURS[status]}]{status}[/]", *cells)
    output.console().print(table)
    output.say(found.photos)
    for evidence in dict.fromkeys(parity.evidence for _, parity in found.proofs):
        output.say(f"Evidence [bold]{evidence}[/]: {EVIDENCE_MEANING[evidence]}.")
    if found.doubt:
        output.say(f"[bold red]{found.doubt}[/]")
    if found.unrecorded:
        output.say(f"[yellow]{escape(found.unrecorded)}[/]")
    for export, parity in found.proofs:
        if parity.maps is not None:
            output.say(
                f"{export.path.name}: the maps' highest cell agrees in {parity.maps.cell_agreement:.3f}, "
                f"cells change by {parity.maps.mean_change:.2g} of the range on average, at most by "
                f"{parity.maps.max_change:.2g}."
            )
    for export, parity in found.proofs:
        for reason in parity.reasons:
            output.say(f"[{_COLOURS[parity.status]}]{parity.status}[/] {export.path.name}: {reason}")


def _document(export: Export, parity: Parity) -> dict[str, object]:
    record = export.record
    return {"target": record.target, "precision": record.precision, **parity.model_dump(mode="json")}


def _unproved(name: str, failure: DermportError) -> dict[str, object]:
    target, _, precision = name.partition("-")
    return {
        "target": target,
        "precision": precision,
        "status": "error",
        "reasons": [failure.message],
        "remedy": failure.remedy,
    }
