"""A model on spoilt photos and photos of something else, and when it cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.progress import SILENT, Progress

if TYPE_CHECKING:
    from dermport.bundle.photo_set import PhotoSet
    from dermport.bundle.robustness_report import RobustnessReport
    from dermport.bundle.store import Bundle
    from dermport.training.robustness.measure import RobustnessFigures

SEVERITIES = (1, 3, 5)


def measure_robustness(
    bundle: Bundle,
    data: Path,
    out: Path,
    part: str | None = None,
    *,
    limit: int = 1000,
    severities: Sequence[int] = SEVERITIES,
    others: Path | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> RobustnessReport:
    """Spoil photos by degrees, show others than lesions, and write figures and charts.

    Args:
        bundle: Whose model.
        data: The photos.
        out: The report's folder; must not exist.
        part: train, validation, test, or all; None for test, or all of another data set.
        limit: At most so many photos, evenly spread.
        severities: Of each corruption, 1 to 5.
        others: Folder of photos that show no lesion, beside drawn ones.
        seed: Of everything random.
        progress: What a person sees.

    Raises:
        UsageError: The part is unknown, or `out` exists.
        DataError: The photos cannot be read, or are not those of the bundle's split.
    """
    from dermport.bundle.atomic import atomic_directory, write_json
    from dermport.bundle.manifest import ModelRef
    from dermport.bundle.robustness_report import RobustnessReport
    from dermport.figures.robustness import draw_risk_coverage, draw_robustness
    from dermport.statistics.bootstrap import DEFAULT
    from dermport.training.robustness.report import to_markdown
    from dermport.workflows.photos import read_photos

    manifest = bundle.manifest
    with atomic_directory(out) as folder:
        photos = read_photos(bundle, data, part, progress=progress).spread(limit)
        measured = _measured(bundle, photos, sorted(set(severities)), others, seed=seed, progress=progress)
        report = RobustnessReport(
            model=ModelRef(name=manifest.name, version=manifest.version, model_sha256=bundle.model_sha256),
            data=data.name,
            part=photos.part or "all",
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
        write_json(folder / "robustness.json", report.model_dump(mode="json", by_alias=True))
        (folder / "robustness.md").write_text(to_markdown(report), encoding="utf-8")
        draw_robustness(folder / "robustness.png", report)
        draw_risk_coverage(folder / "risk_coverage.png", report)
    return report


def _measured(
    bundle: Bundle,
    photos: PhotoSet,
    severities: Sequence[int],
    others: Path | None,
    *,
    seed: int,
    progress: Progress,
) -> RobustnessFigures:
    from dermport.exporters.source import load_model
    from dermport.training.model.network import predict
    from dermport.training.robustness.measure import Measurement
    from dermport.training.robustness.others import drawn_photos, other_photos

    manifest = bundle.manifest
    with progress.bar("loading"):
        groups = drawn_photos(manifest.preprocessing, seed)
        if others is not None:
            groups = {**other_photos(others, manifest.preprocessing), **groups}
        model = load_model(bundle)
    measurement = Measurement(manifest, lambda tensors: predict(model, tensors), photos, seed=seed)
    with progress.bar(f"asking {manifest.name}") as update:
        return measurement.over(severities, groups, update)
