"""The asking end of a worker: one artifact, alive in a process of its own."""

from __future__ import annotations

import contextlib
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.store import Export
from dermport.errors import UnavailableError
from dermport.exporters.benchmark.worker import BenchmarkJob, Failed, Opened, serve
from dermport.progress import Update

BATCH = 32
_GRACE_S = 5
_LAST_LINES = 4
_Answer = TypeVar("_Answer")


class Process:
    """A process that has opened an artifact; use it in a ``with`` block, which ends it.

    Args:
        export: What it opens.
        photos: What it is timed with, uint8 [N, S, S, 3].
        threads: CPU threads, where the runtime leaves a choice.

    Attributes:
        opened: What opening took.

    Raises:
        UnavailableError: On entering, where this machine cannot execute the artifact; on asking, where it failed or
            its process died. The message says why.
    """

    opened: Opened

    def __init__(self, export: Export, photos: NDArray[np.uint8], threads: int) -> None:
        self.name = export.path.name
        context = get_context("spawn")
        self._pipe, self._theirs = context.Pipe()
        self._folder = TemporaryDirectory(prefix="dermport-benchmark-")
        self._words = Path(self._folder.name) / "words"
        job = BenchmarkJob(export.record.target, export.path, photos, threads, self._words)
        self._process: BaseProcess = context.Process(target=serve, args=(self._theirs, job), daemon=True)

    def __enter__(self) -> Process:
        self._process.start()
        self._theirs.close()  # so that a process that dies ends the wait for its answer
        try:
            self.opened = self._received(Opened)
        except UnavailableError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # it may have ended already
            self._pipe.send(None)
        self._process.join(_GRACE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()
        self._folder.cleanup()

    def timed(self, indices: NDArray[np.intp]) -> float:
        """Return the seconds of one call with the photos of these indices, measured in the process."""
        return self._asked("timed", indices, float)

    def busy(self, seconds: float) -> int:
        """Have it answer one photo after the other for so long; return how many it answered."""
        return self._asked("busy", seconds, int)

    def peak_mib(self) -> float | None:
        """Return the most memory that the process ever held, MiB; None where the system does not tell."""
        peak: float | None = self._asked("peak", None, object)  # type: ignore[assignment]
        return peak

    def answers(self, tensors: NDArray[np.uint8], update: Update | None = None) -> NDArray[np.float32]:
        """Return the probabilities float32 [N, C] of all photos, :data:`BATCH` at a time."""
        parts: list[NDArray[np.float32]] = []
        for start in range(0, len(tensors), BATCH):
            batch = np.ascontiguousarray(tensors[start : start + BATCH])
            parts.append(self._asked("answers", batch, np.ndarray))
            if update is not None:
                update(min(start + BATCH, len(tensors)), len(tensors))
        return np.concatenate(parts)

    def _asked(self, request: str, argument: object, kind: type[_Answer]) -> _Answer:
        try:
            self._pipe.send((request, argument))
        except OSError as error:
            raise UnavailableError(f"The process of {self.name} has ended.") from error
        return self._received(kind)

    def _received(self, kind: type[_Answer]) -> _Answer:
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(_GRACE_S)
            raise UnavailableError(
                f"The process of {self.name} died (exit code {self._process.exitcode}). {self._last_words()}".rstrip(),
                remedy="A negative code is a signal's number: -9 means that memory ran out.",
            ) from error
        if isinstance(answer, Failed):
            raise UnavailableError(answer.message)
        assert isinstance(answer, kind)
        return answer

    def _last_words(self) -> str:
        lines = self._words.read_text(errors="replace").split("\n") if self._words.exists() else []
        return " ".join(line.strip() for line in lines[-_LAST_LINES:])
