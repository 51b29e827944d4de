"""A process that holds one artifact and does what it is asked over a pipe: so no artifact shares memory with another.

This half runs in the process; :mod:`dermport.exporters.benchmark.process` is the other end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.export_record import Evidence
from dermport.errors import DermportError
from dermport.exporters.registry import get_target
from dermport.runtimes.base import Runtime

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Opened:
    """What opening the artifact took.

    Attributes:
        runtime: The runtime with its version.
        labels: In the order of the artifact's outputs.
        evidence: What running it here proves.
        reason: Why it is no better evidence.
        load_s: Seconds to import the runtime and open the artifact.
        first_answer_s: The same, and the first photo's answer.
        loading_mib: What all that added to the process' resident memory, MiB; None where the system does not tell.
    """

    runtime: str
    labels: tuple[str, ...]
    evidence: Evidence
    reason: str
    load_s: float
    first_answer_s: float
    loading_mib: float | None


@dataclass(frozen=True)
class Failed:
    """Why the process could not do what it was asked."""

    message: str


@dataclass(frozen=True)
class BenchmarkJob:
    """What a process is for.

    Attributes:
        target: The export's target.
        folder: The export's folder.
        photos: What is timed, uint8 [N, S, S, 3].
        threads: CPU threads, where the runtime leaves a choice.
        words: The file that gets whatever a runtime prints.
    """

    target: str
    folder: Path
    photos: NDArray[np.uint8]
    threads: int
    words: Path


def serve(pipe: Connection, job: BenchmarkJob) -> None:
    """Open an artifact, answer requests ``(name, argument)`` until None comes, and end.

    Args:
        pipe: Gets an :class:`Opened` or :class:`Failed`, then one answer for each request.
        job: What to open, and how.
    """
    with job.words.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    try:
        _serve(pipe, job)
    except DermportError as error:
        pipe.send(Failed(str(error)))
    except Exception as error:  # a runtime's own errors have no common base
        pipe.send(Failed(f"{type(error).__name__}: {error}"))


def _serve(pipe: Connection, job: BenchmarkJob) -> None:
    photos = job.photos
    before, started = resident_mib("VmRSS"), time.perf_counter()
    execution = get_target(job.target).execution(job.folder, job.threads)
    loaded = time.perf_counter()
    with execution.runtime as runtime:
        runtime.predict(photos[:1])
        answered, after = time.perf_counter(), resident_mib("VmRSS")
        pipe.send(
            Opened(
                runtime=runtime.name,
                labels=runtime.labels,
                evidence=execution.evidence,
                reason=execution.reason,
                load_s=loaded - started,
                first_answer_s=answered - started,
                loading_mib=None if before is None or after is None else after - before,
            )
        )
        while (request := pipe.recv()) is not None:
            name, argument = request
            pipe.send(_REQUESTS[name](runtime, photos, argument))


def _timed(runtime: Runtime, photos: NDArray[np.uint8], indices: NDArray[np.intp]) -> float:
    """Return the seconds of one call with the photos of these indices."""
    tensors = photos[indices]
    started = time.perf_counter()
    runtime.predict(tensors)
    return time.perf_counter() - started


def _busy(runtime: Runtime, photos: NDArray[np.uint8], seconds: float) -> int:
    """Answer one photo after the other for so long, and return how many."""
    until, answered = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        start = answered % len(photos)
        runtime.predict(photos[start : start + 1])
        answered += 1
    return answered


def _answers(runtime: Runtime, photos: NDArray[np.uint8], tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
    return runtime.predict(tensors)


def _peak(runtime: Runtime, photos: NDArray[np.uint8], argument: None) -> float | None:
    return resident_mib("VmHWM")


_REQUESTS: dict[str, Callable[[Runtime, NDArray[np.uint8], Any], Any]] = {
    "timed": _timed,
    "busy": _busy,
    "answers": _answers,
    "peak": _peak,
}


def resident_mib(field: str) -> float | None:
    """Return this process' resident memory now (``VmRSS``) or at most (``VmHWM``), MiB; None where nothing tells."""
    lines = _STATUS.read_text().splitlines() if _STATUS.exists() else []
    found = [round(int(line.split()[1]) / 1024, 1) for line in lines if line.startswith(f"{field}:")]
    return found[0] if found else None
