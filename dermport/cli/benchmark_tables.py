"""What ``dermport benchmark`` prints: one table of speed and one of quality for each machine, and a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dermport.cli.output import console, new_table, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dermport.bundle.benchmark_record import Accuracy, BenchmarkResult, ExportResult, Figure, Session, Timing
    from dermport.exporters.benchmark.comparison import BenchmarkComparison

_NONE = "–"
_COLOURS = {"worse": "red", "better": "green"}


def print_result(result: BenchmarkResult) -> None:
    """Print every session: its tables, the machine, and what was not measured and why."""
    for session in result.sessions:
        _print_speed(result, session)
        _print_quality(result, session)
        for line in (*_conditions(result, session), *_gaps(session)):
            say(line)
    say(result.notice)


def _print_speed(result: BenchmarkResult, session: Session) -> None:
    powered = any(export.energy.millijoules is not None for export in session.exports)
    columns = ("KiB", "start", "MiB", "batch", "p50", "p90", "p99", "ratio", "noise", *(["mJ"] if powered else []))
    table = new_table("artifact", *columns)
    for label, export in _named(result, session):
        speed = export.speed
        head = (label, f"{export.size.artifact_bytes / 1024:,.0f}")
        if speed is None:
            table.add_row(*head)
            continue
        start = (f"{speed.first_answer_s:.2f}", _number(speed.peak_mib, ".0f"))
        for number, timing in enumerate(speed.timings):
            first = (*head, *start) if number == 0 else ("",) * 4
            energy = _number(export.energy.millijoules, ".3g") if powered and number == 0 else ""
            table.add_row(*first, *_times(timing), *([energy] if powered else []))
    console().print(table)


def _times(timing: Timing) -> tuple[str, ...]:
    return (
        str(timing.batch),
        *(_number(value, ".3g" if value is not None and value < 1000 else ".0f") for value in _percentiles(timing)),
        f"{timing.ratio.value:.2f}" if timing.ratio else _NONE,
        _number(timing.spread, ".0%"),
    )


def _percentiles(timing: Timing) -> tuple[float, float, float | None]:
    return timing.p50_ms, timing.p90_ms, timing.p99_ms


def _print_quality(result: BenchmarkResult, session: Session) -> None:
    labelled = session.photos.positive is not None
    known = ("accuracy", "balanced") if labelled else ()
    table = new_table("artifact", "top-1", *known, "flips +/−", *(("danger", "ca→other") if labelled else ()))
    for label, export in _named(result, session):
        if export.accuracy:
            table.add_row(label, *_quality(export.accuracy, labelled=labelled))
    if table.row_count:
        console().print(table)


def _quality(accuracy: Accuracy, *, labelled: bool) -> Iterable[str]:
    flips = accuracy.flips
    yield _number(accuracy.agreement.value, ".3f")
    if labelled:
        yield from (_changed(accuracy.figures.get(name)) for name in ("accuracy", "balanced_accuracy"))
    yield f"{flips.to_positive}/{flips.to_negative}"
    if labelled:
        yield from (_number(count, "d") for count in (flips.dangerous, flips.cancer_to_other))


def _changed(figure: Figure | None) -> str:
    if figure is None or figure.value is None:
        return _NONE
    return f"{100 * figure.value:.1f}" + ("" if figure.change is None else f" {100 * figure.change:+.1f}")


def _conditions(result: BenchmarkResult, session: Session) -> Iterable[str]:
    machine, settings, photos = session.machine, session.settings, session.photos
    known = (machine.jetson, machine.jetpack, machine.power_mode and f"power mode {machine.power_mode}")
    yield ", ".join([machine.processor, f"{machine.cores} cores", machine.system, *filter(None, known)])
    yield (
        f"{settings.repeats} passes of {settings.runs} rounds, {settings.threads} thread(s). Start: seconds to a new "
        "process' first answer; MiB: its peak at batch 1; p50…p99: milliseconds a call; noise: spread of the passes."
    )
    if photos.positive is not None:
        yield (
            "Accuracy, plain and balanced: percent, and the change in points. Danger: photos of cancer that the "
            "reference calls suspicious and the artifact does not; ca→other: photos of cancer whose label is one no "
            "longer."
        )
    if session.reference:
        name = f"{session.reference.export} of {result.label(session.reference.bundle)}"
        yield f"Ratios are to {name}, less is faster; changes are from it."
    yield f"Photos: {photos.name}{f', {photos.part}' if photos.part else ''}, {photos.photos:,}."


def _gaps(session: Session) -> Iterable[str]:
    yield from _reasons(session, "speed", lambda export: export.speed_not_measured_because)
    yield from _reasons(session, "energy", lambda export: export.energy.not_measured_because if export.speed else "")
    yield from _reasons(session, "accuracy", lambda export: export.accuracy_not_measured_because)


def _reasons(session: Session, what: str, reason: Callable[[ExportResult], str]) -> Iterable[str]:
    from rich.markup import escape

    names: dict[str, list[str]] = {}
    for export in session.exports:
        if said := reason(export):
            names.setdefault(said, []).append(export.name)
    for said, exports in names.items():
        of = "all" if len(exports) == len(session.exports) else ", ".join(dict.fromkeys(exports))
        yield escape(f"Not measured, {what} of {of}: {said}")


def _named(result: BenchmarkResult, session: Session) -> Iterable[tuple[str, ExportResult]]:
    several = len(result.bundles) > 1
    for export in session.exports:
        yield f"{result.label(export.bundle)} {export.name}" if several else export.name, export


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)


def print_comparison(comparison: BenchmarkComparison) -> None:
    """Print what got worse or better, how many lines show no difference, and how it was judged."""
    table = new_table("export", "figure", "now", "before", "change", "verdict")
    for line in comparison.lines:
        if line.verdict in _COLOURS:
            numbers = (_number(value, ".4g") for value in (line.this, line.other, line.change))
            table.add_row(line.export, line.name, *numbers, f"[{_COLOURS[line.verdict]}]{line.verdict}[/]")
    if table.row_count:
        console().print(table)
    say("Compared: " + ", ".join(f"{count} {verdict}" for verdict, count in comparison.counts().items()) + ".")
    for remark in (*comparison.remarks, comparison.how):
        say(remark)
