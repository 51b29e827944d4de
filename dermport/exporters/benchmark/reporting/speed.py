"""How fast the artifacts are and what memory they take, beside what was published."""

from __future__ import annotations

from dermport.bundle.benchmark_record import Speed, Timing
from dermport.exporters.benchmark.published import COMPRESSION, NOT_FOUND, papers
from dermport.exporters.benchmark.reporting.subjects import Subject, Subjects
from dermport.exporters.benchmark.reporting.table import ReportSection, Row, Table, table
from dermport.exporters.benchmark.reporting.words import DASH, NOT_MEASURED, digits, percent, ratio, reasons, share

_HEAD = (
    "",
    "batch",
    "p50, ms",
    "p90, ms",
    "p99, ms",
    "photos/s",
    "of the reference (95 % interval)",
    "of its target's float32",
    "noise",
    "peak memory, MiB",
)


def speed_section(subjects: Subjects) -> ReportSection:
    """Return the tables of every export's times: machines side by side first, then each by itself."""
    timed = [(machine, _timed(subjects.of(machine))) for machine in subjects.machines]
    tables = [one for machine, group in timed for one in _of_machine(machine, group, subjects)]
    return ReportSection(
        id="speed",
        title="Latency, throughput and memory",
        tables=(*_side_by_side(subjects), *tables),
    )


def _timed(group: tuple[Subject, ...]) -> list[tuple[Subject, Speed]]:
    return [(subject, subject.export.speed) for subject in group if subject.export.speed]


def _side_by_side(subjects: Subjects) -> tuple[Table, ...]:
    if not subjects.several_machines:
        return ()
    rows = []
    for name, group in subjects.by_name.items():
        by_machine = {subject.machine: subject for subject in group}
        rows.append(Row((name, *(_median(by_machine.get(machine)) for machine in subjects.machines))))
    notes = ("In brackets: of the same machine's reference. Ratios compare between machines; milliseconds need not.",)
    head = ("", *subjects.machines)
    return table("Machines side by side: median latency of a single photo, ms", head, rows, notes)


def _median(subject: Subject | None) -> str:
    timing = subject.export.speed.at(1) if subject and subject.export.speed else None
    if timing is None:
        return NOT_MEASURED
    return f"{digits(timing.p50_ms)} ({share(timing.ratio.value)})" if timing.ratio else digits(timing.p50_ms)


def _of_machine(machine: str, group: list[tuple[Subject, Speed]], subjects: Subjects) -> tuple[Table, ...]:
    where = f" on {machine}" if subjects.several_machines else ""
    unmeasured = reasons((one.name, one.export.speed_not_measured_because) for one in subjects.of(machine))
    words = tuple(f"Not measured: {said}" for said in unmeasured)
    rows = [
        Row((subject.name, *_latency(timing)), "original" if subject.is_reference else "")
        for subject, speed in group
        for timing in speed.timings
    ]
    head = ("", "loading, s", "first answer, s", "added memory, MiB", "peak memory, MiB", "runtime", "evidence")
    starts = [Row((subject.name, *_start(subject, speed))) for subject, speed in group]
    notes = reasons((subject.name, speed.note) for subject, speed in group)
    return (
        *table(
            f"Table 3. Latency and throughput{where}, beside the published ones",
            _HEAD,
            [*rows, *_published()],
            (*words, *notes, _published_note()),
        ),
        *table(
            f"Table 3a. Start and memory{where}, each export in a process of its own",
            head,
            starts,
            ("Peak memory: of the whole process, Python included; here when only single photos had been asked.",),
            words=(5, 6),
        ),
    )


def _latency(timing: Timing) -> tuple[str, ...]:
    return (
        str(timing.batch),
        digits(timing.p50_ms),
        digits(timing.p90_ms),
        digits(timing.p99_ms),
        digits(timing.photos_per_s),
        ratio(timing.ratio),
        ratio(timing.ratio_to_target),
        percent(timing.spread),
        digits(timing.peak_mib),
    )


def _start(subject: Subject, speed: Speed) -> tuple[str, ...]:
    return (
        digits(speed.load_s),
        digits(speed.first_answer_s),
        digits(speed.loading_mib),
        digits(speed.peak_mib),
        subject.export.runtime or DASH,
        subject.export.evidence or DASH,
    )


def _published() -> list[Row]:
    paper = papers()[COMPRESSION]
    return [
        Row(
            (
                f"published: {words}",
                DASH,
                paper.says("speed", "p50_ms", precision),
                DASH,
                DASH,
                paper.says("speed", "photos_per_s", precision),
                "1" if precision == "fp32" else paper.says("speed", "latency_ratio", precision),
                DASH,
                DASH,
                NOT_FOUND,
            ),
            "published",
        )
        for words, precision in (("FP32", "fp32"), ("FP16", "fp16"), ("INT8", "int8"))
    ]


def _published_note() -> str:
    paper = papers()[COMPRESSION]
    return f"Published: {paper.title} ({paper.address}), {paper.device}. {paper.limits}"
