"""What answers photos in a process: one runtime and one photo at a time, or one runtime fed in batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.photo_file import stored_pixels
from dermport.bundle.prep import Prepared, prepare, prepared
from dermport.errors import PhotoError
from dermport.runtimes.base import Runtime
from dermport.server.config import ServingConfig
from dermport.server.serving.jobs import InferenceJob, InferenceResult
from dermport.server.serving.slots import Slots

# Decoding time grows with the pixels: a photo of this many takes about as long as the rest of a request.
LARGE_PIXELS = 4_000_000
# A file of fewer bytes than this is not looked into: a camera's photo of 4 million pixels has more, and a picture in
# one colour that has not is decoded soon.
_SMALL_BYTES = 128 * 1024


@dataclass(frozen=True)
class Load:
    """How busy a backend is.

    Attributes:
        waiting: Photos in the queue.
        busy: Slots at work.
        slots: Photos (or, with batches, runs) that can be at work at once.
    """

    waiting: int
    busy: int
    slots: int


class Backend(Protocol):
    """Something that answers photos, from any number of threads.

    Attributes:
        name: The runtime with its version, e.g. ``"LiteRT 2.3.0"``.
        labels: The labels that the artifact itself carries.
        golden: What it answers to the golden set, float32 [N, C].
    """

    name: str
    labels: tuple[str, ...]
    golden: NDArray[np.float32]

    def answer(self, job: InferenceJob) -> InferenceResult:
        """Answer a photo.

        Raises:
            PhotoError: The photo is refused.
            RequestError: 503 "overloaded".
        """
        ...

    def turn(self, job: InferenceJob) -> AbstractContextManager[None]:
        """Wait as a photo does, and have the ``with`` block be what is at work: its photos wait no more."""
        ...

    def load(self) -> Load:
        """Return how busy it is."""
        ...

    def overdue(self) -> float:
        """Return by how many seconds the oldest work in hand is over its time; negative where nothing is."""
        ...

    def close(self) -> None:
        """Finish what has begun, then free everything."""
        ...


class WorkInHand:
    """Knows by when everything that is at work has to be done: a decoder that a hostile photo keeps has no other end.

    Args:
        seconds: How long one photo may take.
        now: A clock in seconds.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._now = seconds, now
        self._due: dict[object, float] = {}

    @contextmanager
    def one(self, photos: int = 1) -> Iterator[None]:
        """Have the ``with`` block count as work of so many photos."""
        token = object()
        self._due[token] = self._now() + photos * self._seconds
        try:
            yield
        finally:
            del self._due[token]

    def overdue(self) -> float:
        """Return by how many seconds the oldest work in hand is over its time; negative where nothing is."""
        return self._now() - min(tuple(self._due.values()), default=float("inf"))


class HeldTurns(threading.local):
    """Which turns the present thread has already, so that what it does within them does not wait for them again."""

    turn = large_turn = False


class RuntimeHolder:
    """A runtime that is open, and what is the same whoever feeds it.

    Args:
        runtime: The loaded artifact; closed with the backend.
        spec: The bundle's preprocessing.
        serving: Queue and times.
        surveys: Whether the bundle's rule asks what inputs look like.
        answers: Answers the golden set.
    """

    def __init__(
        self,
        runtime: Runtime,
        spec: Preprocessing,
        serving: ServingConfig,
        surveys: bool,
        answers: Callable[[], NDArray[np.float32]],
    ) -> None:
        self._spec, self._surveys = spec, surveys
        with ExitStack() as stack:
            self._runtime = stack.enter_context(runtime)
            self.name, self.labels = self._runtime.name, self._runtime.labels
            self.golden = answers()
            self._stack = stack.pop_all()
        self._turns, self._large = (Slots(serving.queue, serving.wait_seconds) for _ in range(2))
        self._hand = WorkInHand(serving.answer_seconds)
        self._mine = HeldTurns()

    def overdue(self) -> float:
        """Return by how many seconds the oldest work in hand is over its time; negative where nothing is."""
        return self._hand.overdue()


def is_large(job: InferenceJob) -> bool:
    """Whether decoding the photo takes so long that others should not have to wait for it."""
    return job.form == "photo" and len(job.data) > _SMALL_BYTES and stored_pixels(job.data) > LARGE_PIXELS


def prepare_job(job: InferenceJob, spec: Preprocessing) -> Prepared:
    """Make the model's input of a job.

    Raises:
        PhotoError: The photo is refused.
    """
    if job.form == "photo":
        return prepare(job.data, spec, draft=job.decoding == "draft")
    if job.form == "prepared":
        return prepared(job.data, spec)
    shape = (spec.size, spec.size, 3)
    if len(job.data) != np.prod(shape):
        raise PhotoError(f"A tensor of {len(job.data):,} bytes is not {shape}.", code="not-prepared")
    tensor = np.frombuffer(job.data, np.uint8).reshape(shape)
    return Prepared(tensor, sha256_bytes(job.data), spec.size, spec.size, 1)
