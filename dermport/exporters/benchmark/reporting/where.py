"""What was measured, where, and how noisy it was there."""

from __future__ import annotations

from statistics import median

from dermport.bundle.benchmark_record import BenchmarkResult, BundleEntry, Session
from dermport.bundle.export_record import EVIDENCE_MEANING, OperatorCount
from dermport.exporters.benchmark.merge import differing_files
from dermport.exporters.benchmark.reporting.subjects import Subjects
from dermport.exporters.benchmark.reporting.table import ReportSection, Row, Table, table
from dermport.exporters.benchmark.reporting.words import DASH, percent


def where_section(subjects: Subjects) -> ReportSection:
    """Return the machines with their settings and noise, and the bundles."""
    return ReportSection(
        id="where",
        title="What was measured, and where",
        words=tuple(_words(subjects)),
        tables=(*_machines(subjects), *_bundles(subjects.result)),
    )


def _words(subjects: Subjects) -> list[str]:
    words = [
        f"{machine}: {_photos(session)}. Reference: {_reference(session, subjects.result)}."
        for machine, session in zip(subjects.machines, subjects.result.sessions, strict=True)
    ]
    differing = [f"{subjects.result.label(bundle)} {name}" for bundle, name in differing_files(subjects.result)]
    if differing:
        words.append(f"Not the same file on all machines: {', '.join(differing)}.")
    if len({session.photos.sha256 for session in subjects.result.sessions}) > 1:
        words.append("The machines were asked about different photos, so their figures of quality do not compare.")
    return words


def _photos(session: Session) -> str:
    photos = session.photos
    part = f", {photos.part} part" if photos.part else ""
    lesions = f" of {photos.lesions:,} lesions" if photos.lesions else ""
    cancer = f", {photos.positive.count('1'):,} of cancer" if photos.positive else ", without labels"
    return f"{photos.photos:,} photos{lesions}{cancer} ({photos.name}{part})"


def _reference(session: Session, result: BenchmarkResult) -> str:
    named = session.reference
    if named is None:
        return "none, for no float32 export ran"
    known = "" if named.golden_change is None else f", within {named.golden_change:.1g} of model.keras"
    return f"{result.label(named.bundle)} {named.export}{known}"


def _machines(subjects: Subjects) -> tuple[Table, ...]:
    facts = [_machine_facts(session) for session in subjects.result.sessions]
    known = [name for name in facts[0] if any(fact[name] != DASH for fact in facts)]
    rows = [Row((name, *(fact[name] for fact in facts))) for name in known]
    notes = (
        "Noise: the spread of the passes' medians (largest less smallest, by the middle one). Smaller differences than "
        "that say nothing.",
    )
    return table("Machines and settings", ("", *subjects.machines), rows, notes, words=tuple(range(1, 1 + len(facts))))


def _machine_facts(session: Session) -> dict[str, str]:
    machine, settings = session.machine, session.settings
    return {
        "processor": f"{machine.processor}, {machine.cores} cores",
        "memory": f"{machine.memory_mib:,} MiB" if machine.memory_mib else DASH,
        "module": machine.jetson or DASH,
        "JetPack": machine.jetpack or DASH,
        "power mode": machine.power_mode or DASH,
        "system": machine.system,
        "Python": f"{machine.python}, dermport {session.dermport}",
        "threads": str(settings.threads),
        "batches": ", ".join(map(str, settings.batches)),
        "calls": f"{settings.repeats} passes of {settings.runs} rounds, {settings.warm_up} to warm up",
        "noise, middle and largest": _noise(session),
        "measured": f"{session.created}, {session.seconds:.0f} s",
    }


def _noise(session: Session) -> str:
    spreads = [
        (timing.spread, f"{export.name}, batch {timing.batch}")
        for export in session.exports
        for timing in (export.speed.timings if export.speed else ())
        if timing.spread is not None
    ]
    if not spreads:
        return "not known after a single pass"
    largest, where = max(spreads)
    return f"{percent(median(spread for spread, _ in spreads))}, {percent(largest)} ({where})"


def _bundles(result: BenchmarkResult) -> tuple[Table, ...]:
    head = ("bundle", "version", "from", "how", "input", "width", "parameters", "MACs of a photo", "threshold", "model")
    notes = tuple(
        f"{entry.name}: {entry.macs_unknown_because}" for entry in result.bundles if entry.macs_unknown_because
    )
    return table("Bundles", head, [_bundle(entry, result) for entry in result.bundles], notes, words=(1, 2, 3))


def _bundle(entry: BundleEntry, result: BenchmarkResult) -> Row:
    return Row(
        (
            result.label(entry.model_sha256),
            entry.version,
            entry.parent or "trained",
            entry.recipe or DASH,
            f"{entry.input_size} px",
            DASH if entry.alpha is None else f"{entry.alpha:g}",
            f"{entry.parameters:,}",
            DASH if entry.macs is None else f"{entry.macs / 1e6:,.1f} M",
            DASH if entry.threshold is None else f"{entry.threshold:.3f}",
            entry.model_sha256[:12],
        )
    )


def operators_section(subjects: Subjects) -> ReportSection:
    """Return the operators of each export by precision, as its file says; once for each export."""
    rows = []
    for name, (first, *_) in subjects.by_name.items():
        by_precision: dict[str, list[OperatorCount]] = {}
        for operator in first.export.operators:
            by_precision.setdefault(operator.precision, []).append(operator)
        rows += [Row((name, precision, *_cells(found))) for precision, found in by_precision.items()]
    words = ("As the file itself lists them; a runtime may fuse operators, or compute at another precision.",)
    head = ("", "precision", "operators", "which")
    return ReportSection(
        "operators", "Operators by precision", words, table("Operators by precision", head, rows, words=(1, 3))
    )


def _cells(operators: list[OperatorCount]) -> tuple[str, str]:
    ordered = sorted(operators, key=lambda one: -one.count)
    return str(sum(one.count for one in ordered)), ", ".join(f"{one.type} {one.count}" for one in ordered)


def reading_section(subjects: Subjects) -> ReportSection:
    """Return what the columns mean, and the commands that measured."""
    words = (
        "The reference is the float32 original of the first bundle that was named. Ratios are to it: below 1 is "
        "smaller, faster or thriftier. Ratios of time pair the calls of one round, in which every export has its turn, "
        "so that what slows the machine down slows all of them.",
        "An interval says what other photos, or other rounds, could have given. Where the interval of a change holds "
        "0, or that of a ratio 1, this measurement shows no difference; it does not show that there is none.",
        "Agreement counts equal most probable labels and needs no truth. Equal accuracy can hide many flips: as many "
        "photos may have become wrong as became right. So look at the flips, and at the dangerous ones first.",
        "A figure that is missing is called not measured, with the reason. A stand-in's speed says nothing about the "
        "artifact, so that only evidence “device” and “host-runtime” have one.",
    )
    rows = [Row((name, meaning)) for name, meaning in EVIDENCE_MEANING.items()]
    commands = tuple(dict.fromkeys(session.command for session in subjects.result.sessions))
    evidence = table("Evidence: what was executed", ("evidence", "what was run"), rows, words=(1,))
    return ReportSection("reading", "How to read it, and the command", words, evidence, commands=commands)
