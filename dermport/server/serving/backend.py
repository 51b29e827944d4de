"""What answers photos behind the front process: worker processes, or one runtime fed in batches."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.photo_file import stored_pixels
from dermport.bundle.prep import MAX_PIXELS, Prepared, prepare, prepared
from dermport.errors import PhotoError
from dermport.server.express.express import Express
from dermport.server.serving.jobs import InferenceJob, InferenceResult, Want

# Decoding time grows with the pixels: a photo of this many takes about as long as the rest of a request.
LARGE_PIXELS = 4_000_000
# A file of fewer bytes than this is not looked into: even in one colour, 4 million pixels take more.
_SMALL_BYTES = 8 * 1024


@dataclass(frozen=True)
class Load:
    """How busy a backend is.

    Attributes:
        waiting: Photos in the queue.
        busy: Slots at work.
        slots: Photos (or, with batches, runs) that can be at work at once.
        restarts: Workers that died and were started again.
        lent: Connections that workers answer by themselves.
    """

    waiting: int
    busy: int
    slots: int
    restarts: int = 0
    lent: int = 0


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

    @property
    def express(self) -> Express | None:
        """The lane on which workers answer by themselves; None where there is none."""
        ...

    def answer(self, job: InferenceJob) -> InferenceResult:
        """Answer a photo.

        Raises:
            PhotoError: The photo is refused.
            RequestError: 503 "overloaded".
            UnavailableError: There is nothing running that could answer.
        """
        ...

    def load(self) -> Load:
        """Return how busy it is."""
        ...

    def close(self) -> None:
        """Finish what has begun, then free everything."""
        ...


def is_large(job: InferenceJob) -> bool:
    """Whether decoding the photo takes so long that others should not have to wait for it."""
    return job.form == "photo" and len(job.data) > _SMALL_BYTES and stored_pixels(job.data) > LARGE_PIXELS


def prepare_job(job: InferenceJob, spec: Preprocessing, most_pixels: int = MAX_PIXELS) -> Prepared:
    """Make the model's input of a job; a photo of more than `most_pixels` is refused.

    Raises:
        PhotoError: The photo is refused.
    """
    if job.form == "photo":
        return prepare(job.data, spec, draft=job.decoding == "draft", most_pixels=most_pixels)
    if job.form == "prepared":
        return prepared(job.data, spec)
    shape = (spec.size, spec.size, 3)
    if len(job.data) != np.prod(shape):
        raise PhotoError(f"A tensor of {len(job.data):,} bytes is not {shape}.", code="not-prepared")
    tensor = np.frombuffer(job.data, np.uint8).reshape(shape)
    return Prepared(tensor, sha256_bytes(job.data), spec.size, spec.size, 1)


def pixels_of(tensor: NDArray[np.uint8], want: Want) -> str:
    """Return what a picture is drawn on (`pixels` of an :class:`InferenceResult`); empty where none is wanted."""
    return base64.b64encode(tensor.tobytes()).decode() if want == "picture" else ""
