"""What was measured, where, and how noisy it was there."""

from __future__ import annotations

from statistics import median

from dermport.bundle.benchmark_record import BenchmarkResult, BundleEntry, Session
from dermport.exporters.benchmark.merge import differing_files
from dermport.exporters.benchmark.reporting.subjects import Subjects
from dermport.exporters.benchmark.reporting.table import Row, Section, Table, table
from dermport.exporters.benchmark.reporting.words import DASH, percent


def where_section(subjects: Subjects) -> Section:
    """Return the machines with their settings and noise, and the bundles."""
    return Section(
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
            f"{entry.alpha:g}",
            f"{entry.parameters:,}",
            DASH if entry.macs is None else f"{entry.macs / 1e6:,.1f} M",
            f"{entry.threshold:.3f}",
            entry.model_sha256[:12],
        )
    )
