"""The in-process limit: what these cores reach with this runtime on these photos, without HTTP."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.peers.model import Model
from benchmarks.serving.photos import RequestPhoto

_SECONDS = 600.0


@dataclass(frozen=True)
class Work:
    """What is run: a bundle's export in a runtime (``onnxruntime`` or ``litert``)."""

    bundle: Path
    runtime: str
    precision: str


class InProcessLimit:
    """As many processes as cores, each with a single-threaded runtime; they sleep but for the measurements.

    Args:
        work: What they run.
        processes: How many.
    """

    def __init__(self, work: Work, processes: int) -> None:
        self._work = work
        self._processes = processes

    def __enter__(self) -> InProcessLimit:
        context = get_context("spawn")
        with ExitStack() as stack:
            self._connections: list[Connection] = []
            for _ in range(self._processes):
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(self._work, theirs), daemon=True)
                process.start()
                stack.callback(process.join)
                self._connections.append(stack.enter_context(ours))
                theirs.close()
            for connection in self._connections:
                _receive(connection)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def probabilities(self, photos: Sequence[RequestPhoto]) -> list[dict[str, float]]:
        """Return what the model says to each photo, by label."""
        said: list[dict[str, float]] = self._all_say(tuple(photos))[0]
        return said

    def measure(self, photos: Sequence[RequestPhoto], seconds: float) -> float:
        """Return photos a second, all processes together, after each has seen every photo once."""
        self._all_say(tuple(photos))
        return float(sum(self._all_say(seconds)))

    def _all_say(self, asked: tuple[RequestPhoto, ...] | float) -> list[Any]:
        for connection in self._connections:
            connection.send(asked)
        return [_receive(connection) for connection in self._connections]


def _receive(connection: Connection) -> Any:
    if not connection.poll(_SECONDS):
        raise TimeoutError("a process of the in-process limit does not answer")
    return connection.recv()


def _serve(work: Work, connection: Connection) -> None:
    """Answer photos with their probabilities, and then a number of seconds with the photos done in each of them."""
    model = Model(work.bundle, work.runtime, work.precision)
    connection.send("loaded")
    photos: tuple[RequestPhoto, ...] = ()
    with connection, suppress(EOFError):
        while True:
            asked = connection.recv()
            if isinstance(asked, float):
                connection.send(_photos_a_second(model, photos, asked))
            else:
                photos = asked
                connection.send([model.answer(photo.data, photo.form)["probabilities"] for photo in photos])


def _photos_a_second(model: Model, photos: Sequence[RequestPhoto], seconds: float) -> float:
    began = now = time.perf_counter()
    done = 0
    for photo in cycle(photos):
        model.answer(photo.data, photo.form)
        done += 1
        if (now := time.perf_counter()) - began >= seconds:
            break
    return done / (now - began)
