"""A worker process: one single-threaded runtime, for the photos of a pipe and for those of lent connections.

``python -m dermport.server.serving.worker PIPE LANE`` is started by :mod:`dermport.server.serving.process`, which says
on the socket PIPE, in JSON, what to load, and then asks about one photo after the other. Answers are JSON too, so that
a worker whose decoder was taken over by a hostile photo has nothing to say to the front process but numbers. LANE is
the express lane (:mod:`dermport.server.express`). The process ends when both are closed.
"""

from __future__ import annotations

import gc
import json
import signal
import socket
import sys
import threading
import time
from dataclasses import asdict
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.manifest import Manifest, Preprocessing
from dermport.bundle.photo_quality import survey_input
from dermport.bundle.prep import MAX_PIXELS
from dermport.bundle.store import Bundle, Export
from dermport.errors import DermportError, PhotoError
from dermport.runtimes.base import Runtime
from dermport.server.allocator import give_back_from
from dermport.server.express.lane import Lane
from dermport.server.serving.backend import LARGE_PIXELS, pixels_of, prepare_job
from dermport.server.serving.jobs import ActivationGrid, InferenceJob, InferenceResult, Want
from dermport.server.serving.runtimes import candidate_named

# The pixels of a photo of 1 MP (4 bytes each) are kept for the next one; those of a larger one are given back.
_KEPT = 4 * 1024 * 1024


def main() -> None:
    """Serve the sockets whose numbers are the arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the front process's to handle
    give_back_from(_KEPT)
    pipe, lane = map(int, sys.argv[1:])
    with Connection(pipe) as connection, socket.socket(fileno=lane) as front:
        asked = json.loads(connection.recv_bytes())
        try:
            bundle = Bundle.open(Path(asked["bundle"]))
            runtime = _load(asked)
            # One by one, as photos will come: a batch of them all would leave its memory with the process.
            golden = [runtime.predict(tensor[None])[0].tolist() for tensor in bundle.golden().tensors]
        except DermportError as error:
            _send(connection, {"error": type(error).__name__, "message": error.message, "remedy": error.remedy})
            return
        _send(connection, {"name": runtime.name, "labels": runtime.labels, "golden": golden})
        gc.freeze()  # what was loaded stays: the collector need not look through it between two photos
        with runtime:
            _serve(connection, front, _answerer(runtime, bundle.manifest), bundle.manifest)


def _load(asked: dict[str, Any]) -> Runtime:
    export = Export.open(Path(asked["export"]))
    export.checked()
    return candidate_named(asked["runtime"]).load(export, 1)


def _answerer(runtime: Runtime, manifest: Manifest) -> _Answerer:
    return _Answerer(runtime, manifest.preprocessing, surveys=manifest.abstention is not None)


class _Answerer:
    """Answers photos, from two threads: a large photo of the pipe is decoded while the lane goes on."""

    def __init__(self, runtime: Runtime, spec: Preprocessing, *, surveys: bool = False) -> None:
        self._runtime = runtime
        self._spec = spec
        self._surveys = surveys
        self._running = threading.Lock()  # no runtime is said to be safe without

    def __call__(self, job: InferenceJob, most_pixels: int = MAX_PIXELS) -> InferenceResult:
        began = time.perf_counter()
        photo = prepare_job(job, self._spec, most_pixels)
        values = survey_input(photo.tensor) if self._surveys else None
        ready = time.perf_counter()
        with self._running:
            probabilities, cells = _run_one(self._runtime, photo.tensor, job.want)
        return InferenceResult(
            probabilities=tuple(probabilities.tolist()),
            input_sha256=photo.input_sha256,
            width=photo.width,
            height=photo.height,
            orientation=photo.orientation,
            milliseconds={"prepare": 1000 * (ready - began), "infer": 1000 * (time.perf_counter() - ready)},
            cells=cells,
            pixels=pixels_of(photo.tensor, job.want),
            values=values,
        )


def _run_one(
    runtime: Runtime, tensor: NDArray[np.uint8], want: Want
) -> tuple[NDArray[np.float32], ActivationGrid | None]:
    """Return the probabilities of one prepared photo, and its map where it is wanted and there."""
    if want == "answer":
        return runtime.predict(tensor[None])[0], None
    probabilities, maps = runtime.predict_with_maps(tensor[None])
    return probabilities[0], None if maps is None else maps[0].tolist()


def _serve(connection: Connection, front: socket.socket, answer: _Answerer, manifest: Manifest) -> None:
    pipe = threading.Thread(target=_serve_pipe, args=(connection, answer), name="pipe")
    pipe.start()
    Lane(front, manifest, partial(answer, most_pixels=LARGE_PIXELS)).run()
    pipe.join()


def _serve_pipe(connection: Connection, answer: _Answerer) -> None:
    while True:
        try:
            _send(connection, _answered(connection.recv_bytes(), answer))
        except (EOFError, ConnectionError):
            return


def _answered(message: bytes, answer: _Answerer) -> dict[str, Any]:
    head, _, data = message.partition(b"\n")
    try:
        return asdict(answer(InferenceJob(data, **json.loads(head))))
    except PhotoError as error:
        return {"refused": error.message, "code": error.code, "remedy": error.remedy}


def _send(connection: Connection, answer: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(answer).encode())


if __name__ == "__main__":
    main()
