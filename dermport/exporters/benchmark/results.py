"""From what was measured of an artifact to its entry in the record."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dermport.bundle.benchmark_record import Energy, ExportResult, Size, Speed
from dermport.exporters.benchmark.accuracy import ArtifactAnswers, Judge
from dermport.exporters.benchmark.candidates import BenchmarkedExport
from dermport.exporters.benchmark.rounds import Course
from dermport.exporters.benchmark.timings import timing
from dermport.exporters.benchmark.worker import Opened

_FIXED_BATCH = "The artifact takes one photo a call, so there is only batch 1."
_ACCELERATOR = "What it holds in an accelerator's own memory is not counted in its memory."
_NO_REFERENCE = "No fp32 export of the first bundle could be run here, so nothing is there to hold it against."


@dataclass
class Measured:
    """What a benchmark has of one artifact; None is what it has not (yet), and a neighbour says why.

    Attributes:
        candidate: The artifact.
        opened: What opening it took.
        not_opened_because: Why this machine cannot execute it.
        course: Its times.
        energy: Of one photo.
        answers: To all photos.
        not_answered_because: Why there are none.
    """

    candidate: BenchmarkedExport
    opened: Opened | None = None
    not_opened_because: str = ""
    course: Course | None = None
    energy: Energy | None = None
    answers: ArtifactAnswers | None = None
    not_answered_because: str = ""

    @property
    def timed(self) -> Course | None:
        """Its times, where it ran to the end."""
        return self.course if self.course and not self.course.failure else None


def export_result(
    one: Measured, reference: Measured | None, of_target: Measured | None, judge: Judge | None, seed: int
) -> ExportResult:
    """Return an artifact's entry.

    Args:
        one: What was measured of it.
        reference: The session's reference; None where none could be run.
        of_target: The first bundle's fp32 export of the same target; None where there is none.
        judge: Holds answers against the reference's; None without a reference.
        seed: Of the ratios' intervals.
    """
    record, opened = one.candidate.export.record, one.opened
    why_slow, why_wrong = _not_timed(one), _not_judged(one, judge)
    return ExportResult(
        bundle=one.candidate.bundle.model_sha256,
        target=record.target,
        precision=record.precision,
        artifact_sha256=record.artifact_sha256,
        size=_size(one, reference, of_target),
        operators=record.operators,
        runtime=opened.runtime if opened else None,
        evidence=opened.evidence if opened else None,
        evidence_reason=opened.reason if opened else one.not_opened_because,
        speed=_speed(one, reference, of_target, seed),
        speed_not_measured_because=why_slow,
        energy=one.energy or Energy(not_measured_because=why_slow),
        accuracy=judge.judged(one.answers) if judge and one.answers else None,
        accuracy_not_measured_because=why_wrong,
    )


def _size(one: Measured, reference: Measured | None, of_target: Measured | None) -> Size:
    artifact = one.candidate.export.artifact
    stored = stored_bytes(artifact)

    def by(other: Measured | None) -> float | None:
        return round(stored / stored_bytes(other.candidate.export.artifact), 4) if other else None

    return Size(
        artifact_bytes=stored,
        compressed_bytes=compressed_bytes(artifact),
        ratio=by(reference),
        ratio_to_target=by(of_target),
    )


def _speed(one: Measured, reference: Measured | None, of_target: Measured | None, seed: int) -> Speed | None:
    course, opened = one.timed, one.opened
    if course is None or opened is None:
        return None
    base, target = (other.timed if other else None for other in (reference, of_target))
    return Speed(
        load_s=round(opened.load_s, 4),
        first_answer_s=round(opened.first_answer_s, 4),
        loading_mib=None if opened.loading_mib is None else round(opened.loading_mib, 1),
        peak_mib=course.peaks.get(1),
        timings=tuple(timing(course, batch, base, target, seed) for batch in course.times),
        note=" ".join(_notes(one.candidate, opened)),
    )


def _notes(one: BenchmarkedExport, opened: Opened) -> Iterator[str]:
    if opened.reason:
        yield f"{opened.reason}."
    if not one.dynamic_batch:
        yield _FIXED_BATCH
    if opened.evidence == "device":
        yield _ACCELERATOR


def _not_timed(one: Measured) -> str:
    if one.opened is None:
        return one.not_opened_because
    if one.course is None:
        return f"Only {one.opened.evidence} here: {one.opened.reason}"
    return one.course.failure


def _not_judged(one: Measured, judge: Judge | None) -> str:
    if one.opened is None:
        return one.not_opened_because
    return one.not_answered_because or ("" if judge else _NO_REFERENCE)


_CHUNK = 1 << 20


def files_of(artifact: Path) -> tuple[Path, ...]:
    """Return the files of an artifact, which is a file or a folder (an .mlpackage), sorted by path."""
    return tuple(sorted(path for path in artifact.rglob("*") if path.is_file())) if artifact.is_dir() else (artifact,)


def stored_bytes(artifact: Path) -> int:
    """Return the bytes of all files of an artifact together."""
    return sum(path.stat().st_size for path in files_of(artifact))


def compressed_bytes(artifact: Path) -> int:
    """Return the bytes of all files of an artifact, each by itself compressed with DEFLATE at level 9 (zlib's form).

    Names, dates and other heads of an archive are not counted, so equal artifacts always give equal figures.
    """
    return sum(sum(map(len, _deflated(path))) for path in files_of(artifact))


def _deflated(path: Path) -> Iterator[bytes]:
    packer = zlib.compressobj(9)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield packer.compress(chunk)
    yield packer.flush()
