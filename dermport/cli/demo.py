"""``dermport demo``: the whole way in one go, by the commands that a person would type."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli import output
from dermport.cli.output import console, new_table

if TYPE_CHECKING:
    from dermport.bundle.store import Export
    from dermport.workflows.demo import Demo


def demo(
    out: Annotated[Path, typer.Option("--out", help="Where to write; an earlier demo there is replaced.")] = Path(
        "artifacts/demo"
    ),
    data: Annotated[
        Path | None, typer.Option("--data", help="Real photos, as for `dermport train`. Default: drawn ones.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="ImageNet weights of MobileNetV2 without its top (.weights.h5).")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 0,
) -> None:
    """Draw photos, train, export every target, prove, package, serve, compare; write report.html."""
    from dermport.workflows.demo import run_demo

    started = time.perf_counter()
    result = run_demo(out, data=data, weights=weights, seed=seed, progress=output)
    _print_summary(result)
    output.say(f"Done in {time.perf_counter() - started:.0f} s. Open [bold]{out / 'report.html'}[/bold].")


def _print_summary(demo: Demo) -> None:
    """Print one line for each artifact: its proof, its size, and what serving and comparing said."""
    from dermport.bundle.notice import NOTICE
    from dermport.bundle.store import Bundle

    bundle = Bundle.open(demo.bundle)
    table = new_table("artifact", "KiB", "of Keras", "proof", "top-1", "max |Δp|", "flips +/−", "evidence")
    for export in bundle.exports():
        table.add_row(*_cells(export))
    console().print(table)
    for precision, comparison in demo.comparisons.items():
        totals = comparison["totals"]
        console().print(
            f"Phone ({precision}) against server ({demo.answer['runtime']['name']}): same label on "
            f"{totals['label_agreement']['count']} of {totals['predicted']} photos, same input bytes on "
            f"{totals['inputs_equal']}, largest |Δp| {totals['change']['max']:.2g}."
        )
    figures = bundle.manifest.known_metrics.figures
    shown = ("accuracy", "balanced_accuracy", "macro_roc_auc")
    console().print("Test part: " + ", ".join(f"{name} {figures[name].value:.3f}" for name in shown) + f". {NOTICE}")


def _cells(export: Export) -> tuple[str, ...]:
    record, parity = export.record, export.record.parity
    size = (export.path.name, f"{record.artifact_bytes / 1024:,.0f}", f"{record.size_ratio:.3f}")
    if parity is None:
        return (*size, "not verified")
    flips = f"{parity.flips_to_positive}/{parity.flips_to_negative}"
    agreement = f"{parity.top1_agreement:.3f}"
    return (*size, parity.status, agreement, f"{parity.max_change:.2g}", flips, parity.evidence)
