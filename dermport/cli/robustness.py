"""``dermport robustness``: a model on spoilt photos and photos of something else, and when it cannot tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli import output
from dermport.cli.options import BundleArgument, Data, Json, Out, PartOfData, Seed
from dermport.cli.output import emit_json, new_table, say

if TYPE_CHECKING:
    from dermport.bundle.robustness_report import RobustnessReport


def robustness(
    bundle: BundleArgument,
    data: Data,
    out: Out = Path("artifacts/robustness"),
    part: PartOfData = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many photos, evenly spread.")] = 1000,
    severity: Annotated[
        list[int] | None, typer.Option("--severity", min=1, max=5, help="May be repeated. Default: 1, 3 and 5.")
    ] = None,
    other_photos: Annotated[
        Path | None, typer.Option("--other-photos", help="Folder of photos that show no lesion, beside drawn ones.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Spoil test photos by degrees and show others than lesions: figures, what is answered, risk by coverage."""
    from dermport.bundle.store import Bundle
    from dermport.workflows.robustness import SEVERITIES, measure_robustness

    report = measure_robustness(
        Bundle.open(bundle),
        data,
        out,
        part,
        limit=limit,
        severities=severity or SEVERITIES,
        others=other_photos,
        seed=seed,
        progress=output,
    )
    _print(report, out)
    if json:
        emit_json(report.model_dump(mode="json", by_alias=True))


def _print(report: RobustnessReport, out: Path) -> None:
    from dermport.cli.output import console
    from dermport.statistics.text import in_words, share_text

    table = new_table("photos", "severity", "accuracy", "answered", "accuracy of these")
    for one in report.conditions:
        told = share_text(one.answered) if one.answered else "all"
        kept = in_words(one.accuracy_answered) if one.accuracy_answered else "–"
        table.add_row(one.corruption, str(one.severity or ""), in_words(one.figures["accuracy"]), told, kept)
    console().print(table)
    for other in report.others:
        refused = share_text(other.refused) if other.refused else "none: the bundle has no rule"
        say(f"{other.group}: cannot tell {refused}")
    say(f"AURC {in_words(report.aurc)}. Written to [bold]{out}[/bold]. {report.notice}")
