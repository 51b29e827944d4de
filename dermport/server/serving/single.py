"""The backend of one single-threaded runtime: a photo waits for its turn, is decoded, and is answered. For CPUs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.golden import GoldenSet
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.photo_quality import survey_input
from dermport.bundle.prep import Prepared
from dermport.runtimes.base import Runtime
from dermport.server.config import ServingConfig
from dermport.server.serving.backend import Load, RuntimeHolder, is_large, prepare_job
from dermport.server.serving.jobs import InferenceJob, InferenceResult

Publish = Callable[[Load], None]
"""Is told how busy a backend is, whenever that changes."""
# What a comparison does in its turn counts as so many photos: it decodes one several times to find what a phone did.
_PHOTOS_A_TURN = 3


def unpublished(load: Load) -> None:
    """Tell nobody."""


class SingleRuntime(RuntimeHolder):
    """Decodes and answers one photo at a time; a large one is decoded beside the others, and has its turn then.

    Args:
        runtime: The loaded artifact; closed with the backend.
        spec: The bundle's preprocessing.
        golden: The golden set, answered at once.
        serving: Queue and times.
        surveys: Whether the bundle's rule asks what inputs look like.
        publish: Is told how busy it is.
    """

    def __init__(
        self,
        runtime: Runtime,
        spec: Preprocessing,
        golden: GoldenSet,
        serving: ServingConfig,
        *,
        surveys: bool = False,
        publish: Publish = unpublished,
    ) -> None:
        def one_by_one() -> NDArray[np.float32]:  # as photos will come: a batch would leave its memory with the process
            return np.concatenate([runtime.predict(one[None]) for one in golden.tensors])

        super().__init__(runtime, spec, serving, surveys, one_by_one)
        self._publish = publish
        publish(self.load())

    def answer(self, job: InferenceJob) -> InferenceResult:
        """Answer a photo (see :class:`dermport.server.serving.backend.Backend`)."""
        began = time.perf_counter()
        if self._mine.turn or not is_large(job):
            with self._turn(), self._hand.one():
                start = time.perf_counter()
                return self._answered(prepare_job(job, self._spec), job, start - began, start)
        with self._large_turn(), self._hand.one():
            waited, start = time.perf_counter() - began, time.perf_counter()
            photo = prepare_job(job, self._spec)
        decoded = time.perf_counter()
        with self._turn(), self._hand.one():
            again = time.perf_counter() - decoded
            return self._answered(photo, job, waited + again, start + again)

    @contextmanager
    def turn(self, job: InferenceJob) -> Iterator[None]:
        """Have the turn (see :class:`dermport.server.serving.backend.Backend`)."""
        with self._large_turn() if is_large(job) else self._turn(), self._hand.one(_PHOTOS_A_TURN):
            yield

    def load(self) -> Load:
        """Return how busy it is."""
        waiting, busy = self._turns.counts()
        return Load(waiting + sum(self._large.counts()), busy, slots=1)

    def close(self) -> None:
        """Free the runtime, after the photo that it has."""
        with self._turns.take():
            self._stack.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._mine.turn:
            yield
            return
        with self._turns.take():
            self._publish(self.load())
            self._mine.turn = True
            try:
                yield
            finally:
                self._mine.turn = False
                self._publish(Load(self._turns.counts()[0], 0, slots=1))

    @contextmanager
    def _large_turn(self) -> Iterator[None]:
        if self._mine.large_turn:
            yield
            return
        with self._large.take():
            self._mine.large_turn = True
            try:
                yield
            finally:
                self._mine.large_turn = False

    def _answered(self, photo: Prepared, job: InferenceJob, waited: float, start: float) -> InferenceResult:
        values = survey_input(photo.tensor) if self._surveys else None
        ready = time.perf_counter()
        probabilities, cells = self._run(photo.tensor, job)
        spent = {
            "wait": 1000 * waited,
            "prepare": 1000 * (ready - start),
            "infer": 1000 * (time.perf_counter() - ready),
        }
        return InferenceResult(
            probabilities=tuple(probabilities.tolist()),
            input_sha256=photo.input_sha256,
            width=photo.width,
            height=photo.height,
            orientation=photo.orientation,
            milliseconds=spent,
            tensor=photo.tensor,
            cells=cells,
            values=values,
        )

    def _run(
        self, tensor: NDArray[np.uint8], job: InferenceJob
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        if not job.map_too:
            return self._runtime.predict(tensor[None])[0], None
        probabilities, maps = self._runtime.predict_with_maps(tensor[None])
        return probabilities[0], None if maps is None else maps[0]
