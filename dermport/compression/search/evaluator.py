"""Measuring a candidate: its artifact made, timed, and asked about every validation photo."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Manifest
from dermport.bundle.parity import in_bundle_order
from dermport.compression.search.builder import BuiltStructure, CandidateBuilder
from dermport.compression.search.candidate import Candidate, MeasuredCandidate
from dermport.compression.search.latency import LatencySource, OpenArtifact
from dermport.compression.search.photos import SearchPhotos
from dermport.compression.search.space import original_structure
from dermport.compression.search.starts import PARENT, StartingBundle
from dermport.errors import ExportError, UsageError
from dermport.exporters.registry import get_target
from dermport.exporters.verify import run
from dermport.progress import Progress
from dermport.statistics.metrics import Predictions, figures
from dermport.training.locks import shared_lock


@dataclass(frozen=True)
class Baseline:
    """What candidates are held against: the parent in float32.

    Attributes:
        export: ``<target>-<precision>``.
        predicted: Its most probable label for each validation photo, int [N].
        balanced_accuracy: On these.
        artifact_bytes: Its size.
    """

    export: str
    predicted: NDArray[np.intp]
    balanced_accuracy: float
    artifact_bytes: int


@dataclass
class CandidateEvaluator:
    """Measures candidates.

    Attributes:
        builder: Makes them.
        photos: The validation photos.
        latency_source: Tells latencies.
        base_export: ``<target>-<precision>`` of the base.
        threads: CPU threads of each runtime.
        id: Tells it from those of other searches, also once it was copied to another process.
    """

    builder: CandidateBuilder
    photos: SearchPhotos
    latency_source: LatencySource
    base_export: str
    threads: int
    id: str = field(default_factory=lambda: uuid4().hex)
    _base: Baseline | None = field(default=None, init=False)

    def measure(self, candidate: Candidate, number: int) -> MeasuredCandidate:
        """Return what a candidate costs and how good it is; its structure is made first where it is new.

        Calls are timed while no other process of this search works on the machine: they wait for each other.

        Raises:
            DermportError: It cannot be made, exported or run here.
        """
        started = time.perf_counter()
        with shared_lock(self.machine) as place:
            made = self.builder.make(candidate.structure)
            base = self.base
            with self._open(made, candidate.export) as loaded, self._open(self._parent, base.export) as its:
                with place.exclusive() if self.latency_source.times_calls else nullcontext():
                    latency = self.latency_source.latency(loaded, its)
                found, predicted = self._judged(loaded)
        record = loaded.export.record
        return MeasuredCandidate(
            number=number,
            start=candidate.structure.start,
            size=candidate.structure.size,
            keep=candidate.structure.keep,
            export=candidate.export,
            techniques=techniques(candidate, self.builder.starts, base.export),
            steps=made.steps,
            macs=made.macs,
            parameters=made.bundle.manifest.model.parameters,
            artifact_bytes=record.artifact_bytes,
            artifact_sha256=record.artifact_sha256,
            size_ratio=round(record.artifact_bytes / base.artifact_bytes, 5),
            latency=latency,
            photos=len(predicted),
            balanced_accuracy=found["balanced_accuracy"],
            accuracy=found["accuracy"],
            agreement=float(np.mean(predicted == base.predicted)),
            points_lost=round(100 * (base.balanced_accuracy - found["balanced_accuracy"]), 4),
            runtime=loaded.runtime.name,
            seconds=round(time.perf_counter() - started, 2),
        )

    @property
    def machine(self) -> Path:
        """The file that stands for this machine among the processes of the search; they share it while they work."""
        user = os.getuid() if hasattr(os, "getuid") else 0
        name = sha256_bytes(f"{self.builder.folder}:{user}".encode())[:16]
        return Path(tempfile.gettempdir()) / f"dermport-search-{name}.lock"

    @property
    def base(self) -> Baseline:
        """What candidates are held against; measured when it is first needed."""
        if self._base is None:
            with self._open(self._parent, self.base_export) as loaded:
                found, predicted = self._judged(loaded)
            size = loaded.export.record.artifact_bytes
            self._base = Baseline(self.base_export, predicted, found["balanced_accuracy"], size)
        return self._base

    @property
    def _parent(self) -> BuiltStructure:
        return self.builder.make(original_structure(self.builder.starts[PARENT]))

    @contextmanager
    def _open(self, made: BuiltStructure, name: str) -> Iterator[OpenArtifact]:
        export = made.export(name)
        execution = get_target(export.record.target).execution(export.path, self.threads)
        photos = self.photos.judged(made.bundle.manifest.preprocessing.size).tensors
        with execution.runtime as runtime:
            yield OpenArtifact(export, runtime, execution.evidence, photos, made.macs)

    def _judged(self, loaded: OpenArtifact) -> tuple[dict[str, Any], NDArray[np.intp]]:
        """Return the figures on the validation photos, and the most probable label of each."""
        manifest = self.builder.starts[PARENT].bundle.manifest
        predictions = predictions_of(loaded, manifest, self.photos.judged(loaded.photos.shape[1]).targets)
        return figures(predictions), predictions.predicted


def predictions_of(loaded: OpenArtifact, manifest: Manifest, truth: NDArray[np.int64]) -> Predictions:
    """Return what an artifact answers about its photos, held against the truth, int [N]."""
    answers = in_bundle_order(run(loaded.runtime, loaded.photos), loaded.runtime.labels, manifest.task.ids)
    return Predictions(answers, truth, manifest.task.positive_indices, manifest.threshold)


def techniques(candidate: Candidate, starts: Mapping[str, StartingBundle], base: str) -> tuple[str, ...]:
    """Return what differs from the parent in float32: another start, another size, pruning, another precision.

    What a start's own recipe did is one thing: its size, and of a quantised start its precision.
    """
    structure, precision = candidate.structure, candidate.export.partition("-")[2]
    start = starts[structure.start]
    said = (
        (not start.is_parent, structure.start),
        (structure.size != original_structure(start).size, f"{structure.size} px"),
        (structure.keep < 1, f"{100 * structure.keep:g} % of the MACs"),
        (start.changeable and precision != base.partition("-")[2], precision),
    )
    return tuple(words for differs, words in said if differs)


@dataclass(frozen=True)
class EvaluationTask:
    """A candidate to measure.

    Attributes:
        evaluator: What measures it; a worker unpacks it once and keeps it for the search's next candidates.
        candidate: What is to be measured.
        number: Its number, unless another one that is under way is done before it.
    """

    evaluator: CandidateEvaluator
    candidate: Candidate
    number: int


@dataclass(frozen=True)
class InfeasibleCandidate:
    """A candidate that cannot be made, and why."""

    candidate: Candidate
    why: str


_evaluators: dict[str, CandidateEvaluator] = {}
"""The evaluator that this process measures on; it keeps what all candidates need, as decoded photos and the base."""


def evaluate_candidate(work: EvaluationTask, progress: Progress) -> MeasuredCandidate | InfeasibleCandidate:
    """Make and measure a candidate in this process; a network that cannot be changed so is no reason to end the search.

    Raises:
        DermportError: Nothing can be measured here: the parent as it is cannot, or something else is wrong.
    """
    evaluator = _kept(work.evaluator)
    try:
        return evaluator.measure(work.candidate, work.number)
    except (UsageError, ExportError) as error:
        if work.candidate.structure == original_structure(evaluator.builder.starts[PARENT]):
            raise
        return InfeasibleCandidate(work.candidate, error.message)


def _kept(evaluator: CandidateEvaluator) -> CandidateEvaluator:
    """Return the evaluator that this process has of that search already, else this one."""
    if evaluator.id not in _evaluators:
        _evaluators.clear()
        _evaluators[evaluator.id] = evaluator
    return _evaluators[evaluator.id]
