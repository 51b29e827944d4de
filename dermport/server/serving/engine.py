"""The backend of one runtime of a process, fed in batches: for TensorRT, which has one CUDA context."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.golden import GoldenSet
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.photo_quality import survey_input
from dermport.runtimes.base import Runtime
from dermport.server.config import ServingConfig
from dermport.server.serving.backend import Load, RuntimeHolder, is_large, prepare_job
from dermport.server.serving.batcher import Batcher, BatchRule
from dermport.server.serving.jobs import InferenceJob, InferenceResult

_PHOTOS_A_TURN = 3


@dataclass(frozen=True)
class _Asked:
    """A prepared photo, uint8 [S, S, 3], and whether its map is wanted."""

    tensor: NDArray[np.uint8]
    map_too: bool


@dataclass(frozen=True)
class _Answer:
    """Its probabilities, float32 [C], and its map [h, w, C], where its batch was run for maps and there is one."""

    probabilities: NDArray[np.float32]
    cells: NDArray[np.float32] | None


class BatchedEngine(RuntimeHolder):
    """Decodes in the caller's thread, then has the batcher's thread run the model.

    Args:
        runtime: The loaded artifact; closed with the backend. Only the batcher's thread uses it.
        spec: The bundle's preprocessing.
        golden: The golden set, answered at once.
        serving: Batch, queue and times.
        surveys: Whether the bundle's rule asks what inputs look like.
    """

    def __init__(
        self,
        runtime: Runtime,
        spec: Preprocessing,
        golden: GoldenSet,
        serving: ServingConfig,
        *,
        surveys: bool = False,
    ) -> None:
        # One large photo is decoded at a time, and one comparison judged, which bounds time and memory.
        super().__init__(runtime, spec, serving, surveys, lambda: runtime.predict(golden.tensors))
        rule = BatchRule(serving.batch, serving.batch_wait, serving.queue, serving.wait_seconds)
        self._batcher: Batcher[_Asked, _Answer] = Batcher(self._run, rule)

    def answer(self, job: InferenceJob) -> InferenceResult:
        """Answer a photo (see :class:`dermport.server.serving.backend.Backend`)."""
        began = time.perf_counter()
        with self._large.take() if is_large(job) and not self._mine.turn else nullcontext(), self._hand.one():
            photo = prepare_job(job, self._spec)
        values = survey_input(photo.tensor) if self._surveys else None
        ready = time.perf_counter()
        answered = self._batcher.submit(_Asked(photo.tensor, job.map_too)).result()
        return InferenceResult(
            probabilities=tuple(answered.result.probabilities.tolist()),
            input_sha256=photo.input_sha256,
            width=photo.width,
            height=photo.height,
            orientation=photo.orientation,
            milliseconds={
                "prepare": 1000 * (ready - began),
                "wait": 1000 * answered.waited,
                "infer": 1000 * answered.ran,
            },
            tensor=photo.tensor,
            batch=answered.batch,
            cells=answered.result.cells if job.map_too else None,
            values=values,
        )

    @contextmanager
    def turn(self, job: InferenceJob) -> Iterator[None]:
        """Have the turn (see :class:`dermport.server.serving.backend.Backend`)."""
        with self._turns.take(), self._hand.one(_PHOTOS_A_TURN):
            self._mine.turn = True
            try:
                yield
            finally:
                self._mine.turn = False

    def load(self) -> Load:
        """Return how busy the batcher is."""
        waiting, busy = self._batcher.counts()
        return Load(waiting, busy, slots=1)

    def close(self) -> None:
        """Answer what waits, then free the runtime."""
        self._batcher.close()
        self._stack.close()

    def _run(self, asked: Sequence[_Asked]) -> Sequence[_Answer]:
        tensors = np.stack([one.tensor for one in asked])
        with self._hand.one():
            return self._predicted(tensors, asked)

    def _predicted(self, tensors: NDArray[np.uint8], asked: Sequence[_Asked]) -> Sequence[_Answer]:
        if not any(one.map_too for one in asked):
            return [_Answer(row, None) for row in self._runtime.predict(tensors)]
        rows, maps = self._runtime.predict_with_maps(tensors)
        return [_Answer(row, None if maps is None else maps[place]) for place, row in enumerate(rows)]
