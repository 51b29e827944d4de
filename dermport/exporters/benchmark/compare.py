"""Two benchmark results side by side: export by export, with a verdict on each line.

A verdict is "better" or "worse" only where a test shows it and the difference exceeds the noise that the machine showed
in the same runs; what was measured on another machine, with other settings or on other photos is not comparable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from dermport.bundle.benchmark_record import BenchmarkResult, Energy, ExportResult, Session, Timing
from dermport.exporters.benchmark.compare_quality import answers_of, quality_lines
from dermport.exporters.benchmark.comparison import BenchmarkComparison, Line, verdict_on
from dermport.exporters.benchmark.merge import machine_labels, same_machine
from dermport.statistics.paired import ratio_of_medians

_SIZE_FLOOR = 0.005


@dataclass(frozen=True)
class _Pair:
    """One export in a session of both results."""

    export: str
    machine: str
    this_session: Session
    other_session: Session
    this: ExportResult
    other: ExportResult

    def line(self, **fields: object) -> Line:
        return Line.model_validate({"export": self.export, "machine": self.machine, **fields})


def compare(this: BenchmarkResult, other: BenchmarkResult) -> BenchmarkComparison:
    """Hold `this` against `other`: the exports of each session against those of the same machine's session.

    A bundle's counterpart is the one of the same model; else the one of the same name; else, where one bundle is left
    on each side, that one. A session of a machine that `other` does not know is held against the only one there is.
    """
    pairs, only_this = _pairs(this, other)
    return BenchmarkComparison(
        lines=tuple(line for pair in pairs for line in _lines(pair)),
        only_this=tuple(only_this),
        only_other=tuple(_without_counterpart(other, {id(pair.other) for pair in pairs})),
        remarks=tuple(dict.fromkeys(remark for pair in pairs for remark in _remarks(pair))),
    )


def _pairs(this: BenchmarkResult, other: BenchmarkResult) -> tuple[list[_Pair], list[str]]:
    counterparts = _counterparts(this, other)
    machines = machine_labels(this)
    pairs, alone = [], []
    for session, machine in zip(this.sessions, machines, strict=True):
        partner = _partner(session, other)
        for export in session.exports:
            name = f"{this.label(export.bundle)} {export.name}"
            sha256 = counterparts.get(export.bundle, "")
            found = partner.export(sha256, export.name) if partner else None
            if partner is None or found is None:
                alone.append(name if len(machines) == 1 else f"{name} ({machine})")
            else:
                pairs.append(_Pair(name, machine, session, partner, export, found))
    return pairs, alone


def _counterparts(this: BenchmarkResult, other: BenchmarkResult) -> dict[str, str]:
    """Return the other result's sha256 by this one's."""
    here = {entry.model_sha256: entry.name for entry in this.bundles}
    there = {entry.model_sha256: entry.name for entry in other.bundles}
    found = {sha256: sha256 for sha256 in here if sha256 in there}
    for sha256, name in here.items():
        namesakes = [one for one, known in there.items() if known == name and one not in found.values()]
        if sha256 not in found and len(namesakes) == 1:
            found[sha256] = namesakes[0]
    left, right = (here.keys() - found.keys()), (there.keys() - set(found.values()))
    if len(left) == len(right) == 1:
        found[left.pop()] = right.pop()
    return found


def _partner(session: Session, other: BenchmarkResult) -> Session | None:
    same = [one for one in other.sessions if same_machine(one.machine, session.machine)]
    alike = [one for one in same if one.machine.power_mode == session.machine.power_mode]
    only = other.sessions if len(other.sessions) == 1 else ()
    return next(iter((*alike, *same, *only)), None)


def _without_counterpart(other: BenchmarkResult, paired: set[int]) -> Iterator[str]:
    labels = machine_labels(other)
    for session, machine in zip(other.sessions, labels, strict=True):
        for export in session.exports:
            if id(export) not in paired:
                name = f"{other.label(export.bundle)} {export.name}"
                yield name if len(labels) == 1 else f"{name} ({machine})"


def _lines(pair: _Pair) -> Iterator[Line]:
    yield _size_line(pair)
    yield from _latency_lines(pair)
    yield from _energy_line(pair)
    this, other = answers_of(pair.this_session, pair.this), answers_of(pair.other_session, pair.other)
    if this is not None and other is not None:
        for line in quality_lines(this, other):
            yield pair.line(kind="quality", **asdict(line))


def _size_line(pair: _Pair) -> Line:
    this, other = pair.this.size.artifact_bytes, pair.other.size.artifact_bytes
    moved = this / other - 1
    verdict = verdict_on(moved - _SIZE_FLOOR, moved + _SIZE_FLOOR, lower_is_better=True)
    return pair.line(kind="size", name="size, bytes", this=this, other=other, change=1 + moved, verdict=verdict)


def _obstacle(this: Session, other: Session) -> str:
    """Return why times of two sessions cannot be compared, or an empty string."""
    if not same_machine(this.machine, other.machine):
        return f"another machine: {this.machine.processor} / {other.machine.processor}"
    if this.machine.power_mode != other.machine.power_mode:
        return f"another power mode: {this.machine.power_mode} / {other.machine.power_mode}"
    if this.settings.threads != other.settings.threads:
        return f"another number of threads: {this.settings.threads} / {other.settings.threads}"
    return ""


def _latency_lines(pair: _Pair) -> Iterator[Line]:
    if pair.this.speed is None or pair.other.speed is None:
        return
    obstacle = _obstacle(pair.this_session, pair.other_session)
    for timing in pair.this.speed.timings:
        other = pair.other.speed.at(timing.batch)
        if other is not None:
            head = {"kind": "latency", "name": f"latency of batch {timing.batch}, ms"}
            values = {"this": timing.p50_ms, "other": other.p50_ms}
            said = {"verdict": "not comparable", "reason": obstacle} if obstacle else _of_times(timing, other)
            yield pair.line(**head, **values, **said)


def _of_times(this: Timing, other: Timing) -> dict[str, Any]:
    """Return the fields of a line that two series of times give."""
    ratio = ratio_of_medians(this.times_ms, other.times_ms)
    fields = {"change": ratio.value, "low": ratio.low, "high": ratio.high}
    if this.spread is None or other.spread is None:
        return {**fields, "verdict": "no difference shown", "reason": "a single pass does not tell its noise"}
    noise = max(this.spread, other.spread)
    verdict = verdict_on(ratio.low - 1, ratio.high - 1, lower_is_better=True)
    if verdict != "no difference shown" and abs(ratio.value - 1) <= noise:
        return {**fields, "noise": noise, "verdict": "no difference shown", "reason": "within the machine's noise"}
    return {**fields, "noise": noise, "verdict": verdict}


def _energy_line(pair: _Pair) -> Iterator[Line]:
    this, other = pair.this.energy, pair.other.energy
    if this.millijoules is None or other.millijoules is None:
        return
    obstacle = _obstacle(pair.this_session, pair.other_session)
    if not obstacle and this.source != other.source:
        obstacle = f"another sensor: {this.source} / {other.source}"
    fields: dict[str, Any] = {"verdict": "not comparable", "reason": obstacle}
    if not obstacle:
        (low, high), (other_low, other_high) = _range(this), _range(other)
        fields = {"verdict": verdict_on(low - other_high, high - other_low, lower_is_better=True)}
        if other.millijoules > 0:
            fields["change"] = this.millijoules / other.millijoules
    values = {"this": this.millijoules, "other": other.millijoules}
    yield pair.line(kind="energy", name="energy of a photo, mJ", **values, **fields)


def _range(energy: Energy) -> tuple[float, float]:
    """Return the smallest and the largest of the passes."""
    value = energy.millijoules or 0.0
    return value if energy.low is None else energy.low, value if energy.high is None else energy.high


def _remarks(pair: _Pair) -> Iterator[str]:
    if pair.this.bundle != pair.other.bundle:
        yield f"{pair.export}: another model, {pair.this.bundle[:12]} / {pair.other.bundle[:12]}"
    elif pair.this.artifact_sha256 != pair.other.artifact_sha256:
        yield f"{pair.export}: the same model, another file"
    if pair.this.runtime != pair.other.runtime:
        yield f"{pair.export}: another runtime, {pair.this.runtime} / {pair.other.runtime}"
