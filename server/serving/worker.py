"""A worker process: one single-threaded runtime that decodes and answers one photo after the other.

``python -m server.serving.worker FD`` is started by :mod:`server.serving.process`, which says on the socket FD, in
JSON, what to load. Answers are JSON too, so that a worker whose decoder was taken over by a hostile photo has nothing
to say to the front process but numbers. It ends when the socket is closed.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bundle.errors import DermportError, PhotoError
from bundle.manifest import Preprocessing
from bundle.store import Bundle, Export
from runtimes.base import Runtime
from server.allocator import give_back_from
from server.serving.backend import prepare_job
from server.serving.jobs import Job
from server.serving.runtimes import candidate_named

# A small photo's pixels (600 x 450) are kept for the next one; those of a large one are given back.
_KEPT = 1024 * 1024


def main() -> None:
    """Serve the socket whose number is the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the front process's to handle
    give_back_from(_KEPT)
    with Connection(int(sys.argv[1])) as connection:
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
        with runtime:
            _serve(connection, runtime, bundle.manifest.preprocessing)


def _load(asked: dict[str, Any]) -> Runtime:
    export = Export.open(Path(asked["export"]))
    export.checked()
    return candidate_named(asked["runtime"]).load(export, 1)


def _serve(connection: Connection, runtime: Runtime, spec: Preprocessing) -> None:
    while True:
        try:
            message = connection.recv_bytes()
            _send(connection, _answer(message, runtime, spec))
        except (EOFError, ConnectionError):
            return


def _answer(message: bytes, runtime: Runtime, spec: Preprocessing) -> dict[str, Any]:
    head, _, data = message.partition(b"\n")
    began = time.perf_counter()
    try:
        photo = prepare_job(Job(data, **json.loads(head)), spec)
    except PhotoError as error:
        return {"refused": error.message, "code": error.code, "status": error.status, "remedy": error.remedy}
    ready = time.perf_counter()
    probabilities = runtime.predict(photo.tensor[None])[0]
    return {
        "probabilities": probabilities.tolist(),
        "input_sha256": photo.input_sha256,
        "width": photo.width,
        "height": photo.height,
        "orientation": photo.orientation,
        "prepare": 1000 * (ready - began),
        "infer": 1000 * (time.perf_counter() - ready),
    }


def _send(connection: Connection, answer: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(answer).encode())


if __name__ == "__main__":
    main()
