"""A benchmark's report: one self-contained HTML page, Markdown, CSV, and the result itself as JSON."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dermport.bundle.atomic import write_json, write_text
from dermport.bundle.benchmark_record import BenchmarkResult
from dermport.exporters.benchmark.comparison import BenchmarkComparison
from dermport.exporters.benchmark.files import FILE, write_result
from dermport.exporters.benchmark.reporting.charts import (
    energy_pictures,
    latency_pictures,
    size_picture,
    throughput_pictures,
)
from dermport.exporters.benchmark.reporting.classes import classes_section
from dermport.exporters.benchmark.reporting.energy import energy_section
from dermport.exporters.benchmark.reporting.flips import flips_section
from dermport.exporters.benchmark.reporting.glance import glance_section
from dermport.exporters.benchmark.reporting.groups import groups_section
from dermport.exporters.benchmark.reporting.html import to_html
from dermport.exporters.benchmark.reporting.markdown import to_markdown
from dermport.exporters.benchmark.reporting.pareto import pareto_section
from dermport.exporters.benchmark.reporting.quality import quality_section
from dermport.exporters.benchmark.reporting.rows import to_csv
from dermport.exporters.benchmark.reporting.size import size_section
from dermport.exporters.benchmark.reporting.speed import speed_section
from dermport.exporters.benchmark.reporting.subjects import Subjects
from dermport.exporters.benchmark.reporting.table import Picture, ReportSection
from dermport.exporters.benchmark.reporting.verdicts import verdicts_section
from dermport.exporters.benchmark.reporting.where import operators_section, reading_section, where_section

HTML, MARKDOWN, CSV = "report.html", "report.md", "report.csv"
COMPARISON = "comparison.json"


def write_report(
    result: BenchmarkResult, folder: Path, comparison: BenchmarkComparison | None = None
) -> tuple[Path, ...]:
    """Write a benchmark's report; files of these names are replaced, all others in the folder are left alone.

    Args:
        result: One machine's, or several merged ones.
        folder: Gets ``report.html``, ``report.md``, ``report.csv`` and ``benchmark.json``, and ``comparison.json``
            where there is a comparison.
        comparison: The result held against another one.

    Returns:
        The files' paths, the page first.
    """
    sections = sections_of(result, comparison)
    title = f"What compression costs: {', '.join(result.label(entry.model_sha256) for entry in result.bundles)}"
    files = {
        HTML: to_html(title, sections),
        MARKDOWN: to_markdown(title, sections),
        CSV: to_csv(Subjects(result)),
    }
    for name, text in files.items():
        write_text(folder / name, text)
    write_result(folder, result)
    if comparison is not None:
        write_json(folder / COMPARISON, comparison.model_dump(mode="json"))
    return (*(folder / name for name in files), folder / FILE, *([folder / COMPARISON] if comparison else []))


def sections_of(result: BenchmarkResult, comparison: BenchmarkComparison | None = None) -> tuple[ReportSection, ...]:
    """Return the report's sections, in their order."""
    subjects = Subjects(result)
    return (
        glance_section(subjects),
        *([verdicts_section(comparison)] if comparison else []),
        where_section(subjects),
        quality_section(subjects),
        flips_section(subjects),
        _with(size_section(subjects), size_picture(subjects)),
        _with(speed_section(subjects), *latency_pictures(subjects), *throughput_pictures(subjects)),
        _with(energy_section(subjects), *energy_pictures(subjects)),
        pareto_section(subjects),
        classes_section(subjects),
        groups_section(subjects),
        operators_section(subjects),
        reading_section(subjects),
    )


def _with(section: ReportSection, *pictures: Picture) -> ReportSection:
    return replace(section, pictures=pictures)
