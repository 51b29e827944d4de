"""What artifacts cost on this machine and what they still know; results compared, merged and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.errors import UsageError
from dermport.progress import SILENT, Progress
from dermport.workflows.notebook import html_table, text_table

if TYPE_CHECKING:
    from dermport.bundle.benchmark_record import BenchmarkResult, BenchmarkSettings
    from dermport.bundle.photo_set import PhotoSet
    from dermport.bundle.store import Bundle
    from dermport.exporters.benchmark.comparison import BenchmarkComparison


@dataclass(frozen=True, repr=False)
class BenchmarkReport:
    """What was measured, and how it stands against an earlier result.

    Attributes:
        result: Everything, as ``benchmark.json`` holds it.
        comparison: With the earlier result; None where there was none.
    """

    result: BenchmarkResult
    comparison: BenchmarkComparison | None = None

    def write(self, folder: Path) -> list[Path]:
        """Write ``benchmark.json`` and the report into `folder`, which must not exist; return the files."""
        from dermport.bundle.atomic import atomic_directory
        from dermport.exporters.benchmark.report import write_report

        with atomic_directory(folder) as fresh:
            names = [path.name for path in write_report(self.result, fresh, self.comparison)]
        return [folder / name for name in names]

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]], str]:
        from dermport.exporters.benchmark.reporting.glance import glance_section
        from dermport.exporters.benchmark.reporting.subjects import Subjects

        (glance,) = glance_section(Subjects(self.result)).tables
        return glance.head, [row.cells for row in glance.rows], glance.caption


def default_settings(
    runs: int = 50, repeats: int = 3, batches: Sequence[int] = (8, 32), threads: int = 1
) -> BenchmarkSettings:
    """Return how to time: rounds of each pass, passes, batch sizes beside 1, and CPU threads of each runtime."""
    from dermport.bundle.benchmark_record import BenchmarkSettings

    every = (1, *sorted(set(batches)))
    return BenchmarkSettings(runs=runs, repeats=repeats, warm_up=3, threads=threads, batches=every, seed=0)


def benchmark(
    bundles: Sequence[Bundle],
    data: Path | None = None,
    part: str | None = None,
    *,
    to: Sequence[str] | None = None,
    precision: Sequence[str] | None = None,
    exports: Sequence[str] = (),
    settings: BenchmarkSettings | None = None,
    merged: Sequence[BenchmarkResult] = (),
    earlier: BenchmarkResult | None = None,
    command: str = "",
    progress: Progress = SILENT,
) -> BenchmarkReport:
    """Measure size, speed, memory, energy and accuracy of exports side by side.

    Args:
        bundles: Whose exports; the others are held against the first one. None works on `merged` alone.
        data: Photos that accuracy is measured on; None measures agreement on the first bundle's golden set.
        part: Of `data`: train, validation, test, or all; None for test, or all of another data set.
        to: Targets; None for all.
        precision: Precisions; None for all.
        exports: Names such as ``onnx-fp32``; none for all.
        settings: How to time; None for :func:`default_settings`.
        merged: Results of other machines.
        earlier: A result to judge by.
        command: What a person typed, for the record.
        progress: What a person sees.

    Raises:
        UsageError: Nothing is named to measure, or no export is of these names.
        IntegrityError: An artifact's bytes are not the recorded ones.
        ExportError: An export was made from another model than its bundle's.
    """
    from dermport.exporters.benchmark.candidates import choose
    from dermport.exporters.benchmark.compare import compare
    from dermport.exporters.benchmark.measure import benchmark as measure
    from dermport.exporters.benchmark.merge import merge

    results = list(merged)
    if bundles:
        chosen = choose(bundles, targets=list(to or ()), precisions=list(precision or ()), names=exports)
        photos = _photos(bundles, data, part, progress)
        settings = settings or default_settings()
        results.insert(0, measure(chosen, photos, settings, command=command, phase=progress.bar))
    if not results:
        raise UsageError("Nothing is named to measure.", remedy="Name bundles.")
    result = results[0] if len(results) == 1 else merge(results)
    return BenchmarkReport(result, compare(result, earlier) if earlier else None)


def _photos(bundles: Sequence[Bundle], data: Path | None, part: str | None, progress: Progress) -> PhotoSet:
    from dermport.bundle.photo_set import golden_photos
    from dermport.workflows.photos import read_photos

    first, *others = bundles
    return read_photos(first, data, part, others=others, progress=progress) if data else golden_photos(first)
