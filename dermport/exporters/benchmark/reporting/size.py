"""How large the artifacts are, beside what was published."""

from __future__ import annotations

from dermport.exporters.benchmark.published import COMPRESSION, NOT_FOUND, papers
from dermport.exporters.benchmark.reporting.subjects import Subject, Subjects
from dermport.exporters.benchmark.reporting.table import ReportSection, Row, table
from dermport.exporters.benchmark.reporting.words import DASH, megabytes, share


def size_section(subjects: Subjects) -> ReportSection:
    """Return the table of every export's size."""
    rows = [row for name, group in subjects.by_name.items() for row in _rows(name, group)]
    head = ("", "file, MB", "compressed, MB", "of the reference", "of its target's float32", "parameters", "MACs")
    notes = (
        "MB: millions of bytes, all files of the artifact together. Compressed: DEFLATE, level 9, what a download "
        "costs. Parameters and MACs: of the bundle.",
        *_kits(subjects),
        *_published_notes(),
    )
    return ReportSection(
        id="size",
        title="Size",
        tables=table("Table 2. Size, beside the published one", head, [*rows, *_published()], notes),
    )


def _kits(subjects: Subjects) -> tuple[str, ...]:
    """Return what the size of an engine that has still to be built is of."""
    kits = [
        name for name, group in subjects.by_name.items() if all(one.export.evidence == "host-proxy" for one in group)
    ]
    if not kits:
        return ()
    return (f"{', '.join(kits)}: the ONNX that an engine is built from, with float weights; the engine is smaller.",)


def _rows(name: str, group: tuple[Subject, ...]) -> list[Row]:
    """Return a row for each file: one, unless machines built their own."""
    distinct = {subject.export.artifact_sha256: subject for subject in reversed(group)}
    return [
        _row(name if len(distinct) == 1 else f"{name} ({subject.machine})", subject)
        for subject in reversed(distinct.values())
    ]


def _row(name: str, subject: Subject) -> Row:
    size, bundle = subject.export.size, subject.bundle
    cells = (
        megabytes(size.artifact_bytes),
        megabytes(size.compressed_bytes),
        share(size.ratio),
        share(size.ratio_to_target),
        f"{bundle.parameters:,}",
        DASH if bundle.macs is None else f"{bundle.macs / 1e6:,.1f} M",
    )
    return Row((name, *cells), "original" if subject.is_reference else "")


def _published() -> list[Row]:
    paper = papers()[COMPRESSION]
    rows = [
        Row((f"published: {words}", paper.says("size", "megabytes", precision), NOT_FOUND, DASH, DASH, DASH, DASH))
        for words, precision in (("FP32", "fp32"), ("FP16", "fp16"), ("INT8", "int8"))
    ]
    smallest = paper.says("size", "size_ratio", "smallest")
    rows.append(Row(("published: the smallest", NOT_FOUND, NOT_FOUND, smallest, DASH, DASH, DASH)))
    return [Row(row.cells, "published") for row in rows]


def _published_notes() -> tuple[str, ...]:
    paper = papers()[COMPRESSION]
    smallest = paper.find("size", "size_ratio", "smallest")
    said = f": {smallest.words} ({smallest.source})" if smallest else ""
    return (f"Published: {paper.title} ({paper.address}), {paper.device}{said}. {paper.limits}",)
