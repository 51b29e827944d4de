"""``dermport verify``: the proof of every artifact against the original."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli import output
from dermport.cli.options import BundleArgument, Json, Precision, To
from dermport.cli.output import bar, console, emit_json, new_table, say

if TYPE_CHECKING:
    from dermport.bundle.export_record import Parity
    from dermport.bundle.store import Bundle, Export
    from dermport.exporters.verify import Reference

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


def verify(
    bundle: BundleArgument,
    to: To = None,
    precision: Precision = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Compare on this data set's photos instead of the golden set.")
    ] = None,
    part: Annotated[str, typer.Option("--part", help="With --data: train, validation, test, or all.")] = "test",
    policy: Annotated[Path | None, typer.Option("--policy", help="Policy file; default: dermport's own.")] = None,
    json: Json = False,
) -> None:
    """Read every artifact back from disk, execute it, and hold it against the original; exit 1 if one fails."""
    from dermport.bundle.policy import BUILT_IN, read_policy
    from dermport.bundle.store import Bundle
    from dermport.exporters.verify import golden_reference
    from dermport.exporters.verify import verify as verify_export

    opened = Bundle.open(bundle)
    rules = read_policy(policy or BUILT_IN)
    exports = selected(opened, to, precision)
    reference = _data_reference(opened, data, part) if data else golden_reference(opened)
    results: list[tuple[Export, Parity]] = []
    for export in exports:
        with bar(f"{export.record.target} {export.record.precision}") as update:
            results.append((export, verify_export(opened, export, reference, rules, update)))
    print_table(results)
    if json:
        emit_json({"artifacts": [_document(export, parity) for export, parity in results]})
    raise typer.Exit(int(any(parity.status == "fail" for _, parity in results)))


def selected(bundle: Bundle, to: list[str] | None, precision: list[str] | None) -> list[Export]:
    """Return the exports of a bundle that ``--to`` and ``--precision`` name.

    Raises:
        UsageError: There are none.
    """
    from dermport.errors import UsageError
    from dermport.exporters.registry import select

    chosen = select(to, precision, optional=True)
    wanted = {(target.capabilities.name, recipe.precision) for target, recipes in chosen for recipe in recipes}
    exports = [e for e in bundle.exports() if (e.record.target, e.record.precision) in wanted]
    if not exports:
        raise UsageError(f"{bundle.path} has no such export.", remedy=f"Run `dermport export {bundle.path}` first.")
    return exports


def _data_reference(bundle: Bundle, data: Path, part: str) -> Reference:
    """Prepare a data set's photos and ask the original about them."""
    from dermport.exporters.source import load_model
    from dermport.exporters.verify import Reference, maps_of
    from dermport.training.model.network import predict
    from dermport.workflows.photos import read_photos

    photos = read_photos(bundle, data, part, progress=output)
    tensors = photos.tensors(bundle.manifest.preprocessing)
    with bar("asking the original") as update:
        probabilities = predict(load_model(bundle), tensors, update=update)
    return Reference(photos, probabilities, maps_of(bundle, tensors))


def print_table(results: list[tuple[Export, Parity]]) -> None:
    """Print one line for each artifact, and the reason below whatever did not pass."""
    table = new_table("artifact", "proof", "top-1", "max |Δp|", "mean |Δp|", "flips +/−", "Δ acc.", "evidence")
    for export, parity in results:
        accuracy = parity.metrics.get("accuracy")
        table.add_row(
            export.path.name,
            f"[{_COLOURS[parity.status]}]{parity.status}[/]",
            f"{parity.top1_agreement:.3f}",
            f"{parity.max_change:.2g}",
            f"{parity.mean_change:.2g}",
            f"{parity.flips_to_positive}/{parity.flips_to_negative}",
            f"{accuracy.change:+.3f}" if accuracy and accuracy.change is not None else "–",
            parity.evidence,
        )
    console().print(table)
    say(f"Compared on {results[0][1].data}, {results[0][1].photos:,} photos.")
    for export, parity in results:
        if parity.maps is not None:
            say(
                f"{export.path.name}: the maps' highest cell agrees in {parity.maps.cell_agreement:.3f}, "
                f"cells change by {parity.maps.mean_change:.2g} of the range on average, at most by "
                f"{parity.maps.max_change:.2g}."
            )
    for export, parity in results:
        for reason in parity.reasons:
            say(f"[{_COLOURS[parity.status]}]{parity.status}[/] {export.path.name}: {reason}")


def _document(export: Export, parity: Parity) -> dict[str, object]:
    record = export.record
    return {"target": record.target, "precision": record.precision, **parity.model_dump(mode="json")}
