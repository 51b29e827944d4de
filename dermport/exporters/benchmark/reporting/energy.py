"""What a photo's answer costs in energy, where the machine tells, beside what was published."""

from __future__ import annotations

from dermport.exporters.benchmark.published import COMPRESSION, NOT_FOUND, papers
from dermport.exporters.benchmark.reporting.subjects import Subject, Subjects
from dermport.exporters.benchmark.reporting.table import ReportSection, Row, table
from dermport.exporters.benchmark.reporting.words import DASH, digits, reasons, share


def energy_section(subjects: Subjects) -> ReportSection:
    """Return the table of every export whose energy was measured, and why the others' was not."""
    rows = [_row(subject, subjects) for subject in subjects.all if subject.export.energy.millijoules is not None]
    unmeasured = reasons((_name(one, subjects), one.export.energy.not_measured_because) for one in subjects.all)
    head = ("", "mJ a photo", "passes", "of the reference", "idle, W", "busy, W", "sensor")
    notes = (
        "At batch 1, with what the machine draws when idle subtracted. Passes: the smallest and the largest.",
        *(f"Not measured: {said}" for said in unmeasured),
        *_published_notes(),
    )
    words = () if rows else ("Energy was not measured on any machine of this report. No figure here is an estimate.",)
    title = "Table 4. Power and energy, beside the published ones"
    return ReportSection(
        id="energy",
        title="Power and energy",
        words=words,
        tables=table(title, head, [*rows, *_published()], notes, words=(6,)),
    )


def reference_energy(subject: Subject) -> float | None:
    """Return the energy of the session's reference, mJ; None where it was not measured, or is not above 0."""
    named = subject.session.reference
    found = subject.session.export(named.bundle, named.export) if named else None
    energy = found.energy.millijoules if found else None
    return energy if energy and energy > 0 else None


def _row(subject: Subject, subjects: Subjects) -> Row:
    energy, reference = subject.export.energy, reference_energy(subject)
    part = energy.millijoules / reference if reference and energy.millijoules is not None else None
    cells = (
        digits(energy.millijoules),
        f"{digits(energy.low)} to {digits(energy.high)}",
        share(part),
        digits(energy.idle_watts),
        digits(energy.busy_watts),
        energy.source,
    )
    return Row((_name(subject, subjects), *cells), "original" if subject.is_reference else "")


def _name(subject: Subject, subjects: Subjects) -> str:
    return f"{subject.name} ({subject.machine})" if subjects.several_machines else subject.name


def _published() -> list[Row]:
    paper = papers()[COMPRESSION]
    rows = []
    for words, precision in (("FP32", "fp32"), ("FP16", "fp16"), ("INT8", "int8")):
        millijoules, watts = (paper.says("energy", metric, precision) for metric in ("millijoules", "watts"))
        part = "1" if precision == "fp32" else paper.says("energy", "energy_ratio", precision)
        rows.append(Row((f"published: {words}", millijoules, DASH, part, NOT_FOUND, watts, DASH), "published"))
    return rows


def _published_notes() -> tuple[str, ...]:
    paper = papers()[COMPRESSION]
    found = paper.find("energy", "energy_ratio", "int8")
    said = f" INT8: {found.words} ({found.source})." if found else ""
    return (f"Published: {paper.title} ({paper.address}), {paper.device}.{said} {paper.limits}",)
