"""The whole result at a glance."""

from __future__ import annotations

from dermport.bundle.benchmark_record import Accuracy
from dermport.exporters.benchmark.reporting.subjects import Subject, Subjects
from dermport.exporters.benchmark.reporting.table import ReportSection, Row, table
from dermport.exporters.benchmark.reporting.words import DASH, NOT_MEASURED, change, counted, digits, megabytes, share
from dermport.statistics.text import interval

WITHIN = 0.02
"""How much balanced accuracy an export may lose and still count as as good as the reference: two points."""


def glance_section(subjects: Subjects) -> ReportSection:
    """Return what most readers want to know, in a few sentences and one row for each export."""
    several = tuple(f"p50 on {machine}, ms" for machine in subjects.machines)
    latency = several if subjects.several_machines else ("p50, ms",)
    quality = ("balanced accuracy", "dangerous flips") if subjects.labelled else ()
    head = ("", "MB", *latency, "agreement", *quality, "evidence")
    rows = [_row(name, group, subjects) for name, group in subjects.by_name.items()]
    notes = ("In brackets: of the reference, or a 95 % interval. Balanced accuracy: its change from the reference.",)
    return ReportSection(
        "glance",
        "At a glance",
        tuple(_sentences(subjects)),
        table("Every export", head, rows, notes, words=(len(head) - 1,)),
    )


def _row(name: str, group: tuple[Subject, ...], subjects: Subjects) -> Row:
    first = group[0]
    by_machine = {subject.machine: subject for subject in group}
    answered = next((one.export.accuracy for one in group if one.export.accuracy), None)
    size = f"{megabytes(first.export.size.artifact_bytes)}{_of_reference(first.export.size.ratio)}"
    quality = _quality(answered, subjects.labelled, first.is_reference)
    evidence = ", ".join(dict.fromkeys(one.export.evidence or "none" for one in group))
    cells = (name, size, *(_latency(by_machine.get(machine)) for machine in subjects.machines), *quality, evidence)
    danger = bool(answered and answered.flips.dangerous)
    return Row(cells, "original" if first.is_reference else "danger" if danger else "")


def _quality(given: Accuracy | None, labelled: bool, is_reference: bool) -> tuple[str, ...]:
    """Return the agreement and, of photos with labels, the change of balanced accuracy and the dangerous flips."""
    if given is None:
        return (NOT_MEASURED,) * (3 if labelled else 1)
    if not labelled:
        return (interval(given.agreement),)
    if is_reference:
        return interval(given.agreement), "reference", DASH
    return interval(given.agreement), change(given.figures.get("balanced_accuracy")), counted(given.flips.dangerous)


def _of_reference(ratio: float | None) -> str:
    return "" if ratio is None else f" ({share(ratio)})"


def _latency(subject: Subject | None) -> str:
    timing = subject.export.speed.at(1) if subject and subject.export.speed else None
    if timing is None:
        return NOT_MEASURED
    return f"{digits(timing.p50_ms)}{_of_reference(timing.ratio.value if timing.ratio else None)}"


def _sentences(subjects: Subjects) -> list[str]:
    return [*_smallest(subjects), *_fastest(subjects), *_dangerous(subjects)]


def _good(subject: Subject) -> bool:
    figures = subject.export.accuracy.figures if subject.export.accuracy else {}
    lost = figures["balanced_accuracy"].change if "balanced_accuracy" in figures else None
    return lost is not None and lost >= -WITHIN


def _smallest(subjects: Subjects) -> list[str]:
    good = [one for one in subjects.all if _good(one)]
    if not good:
        return []
    best = min(good, key=lambda one: one.export.size.artifact_bytes)
    return [
        f"Smallest within two points of the reference's balanced accuracy: {best.name}, "
        f"{megabytes(best.export.size.artifact_bytes)} MB, {share(best.export.size.ratio)} of the reference."
    ]


def _fastest(subjects: Subjects) -> list[str]:
    words = []
    for machine in subjects.machines:
        good = [one for one in subjects.of(machine) if one.median_ms is not None and _good(one)]
        if good:
            best = min(good, key=lambda one: one.median_ms or 0)
            where = f" on {machine}" if subjects.several_machines else ""
            words.append(f"Fastest of these{where}: {best.name}, {digits(best.median_ms)} ms a photo{_ratio(best)}.")
    return words


def _ratio(subject: Subject) -> str:
    timing = subject.export.speed.at(1) if subject.export.speed else None
    return f", {share(timing.ratio.value)} of the reference" if timing and timing.ratio else ""


def _dangerous(subjects: Subjects) -> list[str]:
    counts = [(given.flips.dangerous, name) for name, one, given in subjects.answers if not one.is_reference]
    known = [(count, name) for count, name in counts if count is not None]
    if not known:
        return ["Dangerous flips are not known: the photos have no labels."] if counts else []
    none = [name for count, name in known if not count]
    most, name = max(known)
    said = f"Most dangerous flips: {name}, {most}." if most else "No export has a dangerous flip."
    return [said] if not none or not most else [f"{said} None: {', '.join(none)}."]
