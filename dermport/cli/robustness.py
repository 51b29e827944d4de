"""``dermport robustness``: a model on spoilt photos and photos of something else, and when it cannot tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli import output
from dermport.cli.options import BundleArgument, Data, Json, Out, Seed
from dermport.cli.output import bar, emit_json, new_table, say

if TYPE_CHECKING:
    from dermport.bundle.robustness_report import RobustnessReport
    from dermport.bundle.store import Bundle


def robustness(
    bundle: BundleArgument,
    data: Data,
    out: Out = Path("artifacts/robustness"),
    part: Annotated[str, typer.Option("--part", help="train, validation, test, or all of another data set.")] = "test",
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
    from dermport.bundle.atomic import atomic_directory, write_json
    from dermport.bundle.store import Bundle
    from dermport.figures.robustness import draw_risk_coverage, draw_robustness
    from dermport.training.robustness.report import to_markdown

    opened = Bundle.open(bundle)
    with atomic_directory(out) as folder:
        report = _report(opened, data, part, limit, tuple(sorted(set(severity or (1, 3, 5)))), other_photos, seed)
        write_json(folder / "robustness.json", report.model_dump(mode="json", by_alias=True))
        (folder / "robustness.md").write_text(to_markdown(report), encoding="utf-8")
        draw_robustness(folder / "robustness.png", report)
        draw_risk_coverage(folder / "risk_coverage.png", report)
    _print(report, out)
    if json:
        emit_json(report.model_dump(mode="json", by_alias=True))


def _report(
    bundle: Bundle, data: Path, part: str, limit: int, severities: tuple[int, ...], others: Path | None, seed: int
) -> RobustnessReport:
    from dermport.bundle.manifest import ModelRef
    from dermport.bundle.robustness_report import RobustnessReport
    from dermport.exporters.source import load_model
    from dermport.statistics.bootstrap import DEFAULT
    from dermport.training.model.network import predict
    from dermport.training.robustness.measure import Measurement
    from dermport.training.robustness.others import drawn_photos, other_photos
    from dermport.workflows.photos import read_photos

    manifest = bundle.manifest
    photos = read_photos(bundle, data, part, progress=output).spread(limit)
    groups = drawn_photos(manifest.preprocessing, seed)
    if others is not None:
        groups = {**other_photos(others, manifest.preprocessing), **groups}
    model = load_model(bundle)
    measurement = Measurement(manifest, lambda tensors: predict(model, tensors), photos, seed=seed)
    with bar(f"asking {manifest.name}") as tick:
        measured = measurement.over(severities, groups, tick)
    return RobustnessReport(
        model=ModelRef(name=manifest.name, version=manifest.version, model_sha256=bundle.model_sha256),
        data=str(data.name),
        part=part,
        photos=len(photos),
        lesions=len(set(photos.groups)),
        seed=seed,
        confidence=DEFAULT.confidence,
        rule=manifest.abstention,
        conditions=measured.conditions,
        groups=measured.groups,
        others=measured.others,
        aurc=measured.aurc,
        coverage=measured.coverage,
    )


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
