"""The whole measurement: every export opened in a process of its own, timed in turns, then asked about the photos.

What only a reference or a stand-in can execute here (evidence "mil-reference", "host-proxy") is asked about the photos
but not timed: its speed says nothing about the artifact. Only ``runtimes/`` execute here, so that a Jetson without
TensorFlow measures with the same code.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib import metadata

import numpy as np

from dermport.bundle.benchmark_record import BenchmarkResult, BenchmarkSettings, ExportResult, Reference, Session
from dermport.bundle.export_record import Evidence
from dermport.bundle.parity import in_bundle_order
from dermport.bundle.photo_set import PhotoSet, golden_photos
from dermport.bundle.store import Export
from dermport.errors import UnavailableError
from dermport.exporters.benchmark.accuracy import ArtifactAnswers, Judge, described
from dermport.exporters.benchmark.candidates import BenchmarkedExport, bundle_entry, originals
from dermport.exporters.benchmark.energy import Phase, measure_energy, silent
from dermport.exporters.benchmark.machine import this_machine
from dermport.exporters.benchmark.process import Process
from dermport.exporters.benchmark.results import Measured, export_result
from dermport.exporters.benchmark.rounds import run_rounds
from dermport.progress import Update

REAL: frozenset[Evidence] = frozenset({"device", "host-runtime"})
Key = tuple[str, str]
TIMED_PHOTOS = 32
PASSES = 3


@dataclass(frozen=True)
class _Run:
    """One benchmark: what it was asked, and what it has so far."""

    photos: PhotoSet
    settings: BenchmarkSettings
    phase: Phase
    measured: dict[Key, Measured]
    golden: PhotoSet

    def process(self, one: BenchmarkedExport) -> Process:
        """Return a process for an artifact, not yet started."""
        return Process(
            one.export, self.golden.tensors(one.bundle.manifest.preprocessing)[:TIMED_PHOTOS], self.settings.threads
        )

    def timed_photos(self) -> int:
        """Return how many photos each process holds to be timed with."""
        return min(TIMED_PHOTOS, len(self.golden))


def benchmark(
    candidates: Sequence[BenchmarkedExport],
    photos: PhotoSet,
    settings: BenchmarkSettings,
    *,
    command: str = "",
    phase: Phase = silent,
) -> BenchmarkResult:
    """Measure exports: size, speed, memory, energy and accuracy.

    Args:
        candidates: What to measure; the first one's bundle is the first bundle.
        photos: The photos that accuracy is measured on.
        settings: How to time.
        command: What the user typed, for the record.
        phase: Opens a progress report for each phase.

    Raises:
        IntegrityError: An artifact's bytes are not the recorded ones.
        ExportError: An export was made from another model than its bundle's.
    """
    started = time.perf_counter()
    bundles = list({one.bundle.model_sha256: one.bundle for one in candidates}.values())
    run = _Run(photos, settings, phase, {one.key: Measured(one) for one in candidates}, golden_photos(bundles[0]))
    for one in candidates:
        one.check()
    with ExitStack() as stack:
        processes = _opened(run, stack)
        _time(run, processes)
        for key, process in processes.items():
            with phase(f"asking {key[1]}") as update:
                _ask(run, run.measured[key], process, update)
        reference = _reference(run, processes)
    session = Session(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=command,
        dermport=metadata.version("dermport"),
        machine=this_machine(),
        settings=settings,
        photos=described(photos, bundles[0].manifest.task.positive_indices),
        reference=reference,
        exports=_results(run, reference),
        seconds=round(time.perf_counter() - started, 1),
    )
    return BenchmarkResult(bundles=tuple(map(bundle_entry, bundles)), sessions=(session,))


def _opened(run: _Run, stack: ExitStack) -> dict[Key, Process]:
    """Open what can be timed on `stack`; ask what only stands in for an artifact right away, and close it again."""
    processes: dict[Key, Process] = {}
    _warm_caches(run)
    with run.phase("opening, asking stand-ins") as update:
        for done, (key, measured) in enumerate(run.measured.items(), start=1):
            with ExitStack() as own:
                try:
                    process = _entered(run, measured, own)
                except UnavailableError as error:
                    measured.not_opened_because = error.message
                    continue
                measured.opened = process.opened
                if process.opened.evidence in REAL:
                    processes[key] = process
                    stack.push(own.pop_all())
                else:
                    _ask(run, measured, process)
            update(done, len(run.measured))
    return processes


def _entered(run: _Run, measured: Measured, stack: ExitStack) -> Process:
    """Open an artifact; once more where that built its TensorRT engine, which is then the artifact."""
    process = stack.enter_context(run.process(measured.candidate))
    before, now = measured.candidate.export, Export.open(measured.candidate.export.path)
    if now.record.artifact_sha256 == before.record.artifact_sha256:
        return process
    stack.close()
    measured.candidate = replace(measured.candidate, export=now)
    return stack.enter_context(run.process(measured.candidate))


def _warm_caches(run: _Run) -> None:
    """Open one artifact of each target for nothing: else the first one alone would read its runtime from the disk."""
    firsts = {measured.candidate.export.record.target: measured.candidate for measured in run.measured.values()}
    for one in firsts.values():
        with suppress(UnavailableError), run.process(one):
            pass


def _time(run: _Run, processes: dict[Key, Process]) -> None:
    batches = {key: run.settings.batches if run.measured[key].candidate.dynamic_batch else (1,) for key in processes}
    with run.phase("timing") as update:
        courses = run_rounds(processes, batches, run.timed_photos(), run.settings, update)
    alive = {key: process for key, process in processes.items() if not courses[key].failure}
    on_accelerator = {key: process.opened.evidence == "device" for key, process in alive.items()}
    energies = measure_energy(alive, on_accelerator, PASSES, run.phase)
    for key, measured in run.measured.items():
        measured.course, measured.energy = courses.get(key), energies.get(key)


def _ask(run: _Run, measured: Measured, process: Process, update: Update | None = None) -> None:
    """Have an artifact answer all photos of the set."""
    manifest = measured.candidate.bundle.manifest
    tensors = run.photos.tensors(measured.candidate.bundle.manifest.preprocessing)
    try:
        raw = process.answers(tensors, update)
    except UnavailableError as error:
        measured.not_answered_because = error.message
        return
    if raw.shape != (len(tensors), len(manifest.task.ids)):
        measured.not_answered_because = f"It answers {raw.shape}, not one probability for each label."
    elif not np.isfinite(raw).all():
        measured.not_answered_because = "It gave probabilities that are not finite (NaN or infinity)."
    else:
        ordered = in_bundle_order(raw, process.opened.labels, manifest.task.ids)
        measured.answers = ArtifactAnswers(ordered, manifest.task.positive_indices, manifest.threshold)


def _reference(run: _Run, processes: dict[Key, Process]) -> Reference | None:
    """Return the first of the first bundle's fp32 exports that was timed and answered."""
    for one in originals([measured.candidate for measured in run.measured.values()]).values():
        measured = run.measured[one.key]
        if measured.timed and measured.answers:
            answers = processes[one.key].answers(run.golden.tensors(one.bundle.manifest.preprocessing))
            ordered = in_bundle_order(answers, processes[one.key].opened.labels, one.bundle.manifest.task.ids)
            change = float(np.abs(ordered - one.bundle.golden().probabilities).max())
            return Reference(bundle=one.bundle.model_sha256, export=one.name, golden_change=change)
    return None


def _results(run: _Run, reference: Reference | None) -> tuple[ExportResult, ...]:
    measured = list(run.measured.values())
    first = measured[0].candidate.bundle
    if reference is None:
        return tuple(export_result(one, None, None, None, run.settings.seed) for one in measured)
    base = run.measured[reference.bundle, reference.export]
    assert base.answers is not None
    judge = Judge(base.answers, run.photos, run.photos.tensors(first.manifest.preprocessing), first.manifest.task.ids)
    of_target = {
        target: run.measured[one.key] for target, one in originals([each.candidate for each in measured]).items()
    }
    results = []
    with run.phase("comparing") as update:
        for done, one in enumerate(measured, start=1):
            target = of_target.get(one.candidate.export.record.target)
            results.append(export_result(one, base, target, judge, run.settings.seed))
            update(done, len(measured))
    return tuple(results)
