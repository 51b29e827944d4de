"""The backend of worker processes: a photo goes to a free one, and to another one where that dies and is replaced."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dermport.errors import DermportError, PhotoError
from dermport.server.config import ServingConfig
from dermport.server.express.express import Express
from dermport.server.serving.backend import Load, is_large
from dermport.server.serving.jobs import InferenceJob, InferenceResult
from dermport.server.serving.process import WorkerLostError, WorkerProcess
from dermport.server.serving.slots import Slots

_LOG = logging.getLogger("dermport.workers")
# A photo that ends two workers is taken for their cause.
_ATTEMPTS = 2
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0


class ServingPool:
    """Worker processes with a queue before them.

    Args:
        launch: Starts a worker; it need not be loaded yet.
        check: Raises where the answers of a loaded worker to the golden set, float32 [N, C], are not the model's.
        count: How many workers.
        serving: Queue and times.

    Raises:
        UnavailableError, BundleError, ExportError: The first worker could not load the artifact.
    """

    def __init__(
        self,
        launch: Callable[[], WorkerProcess],
        check: Callable[[WorkerProcess], None],
        count: int,
        serving: ServingConfig,
    ) -> None:
        self._launch = launch
        self._check = check
        self._serving = serving
        self._slots: Slots[WorkerProcess] = Slots(serving.queue, serving.wait_seconds)
        self._closing = threading.Event()
        self._restarts = 0
        self.express = Express(serving.queue)
        self._workers: dict[int, WorkerProcess] = {index: launch() for index in range(count)}
        try:
            first = self._workers[0]
            for worker in self._workers.values():
                worker.wait_until_loaded()
                if worker is not first:  # the first is judged by whoever opens the pool
                    check(worker)
        except DermportError:
            for worker in self._workers.values():
                worker.kill()
            raise
        self.name, self.labels = first.name, first.labels
        self.golden: NDArray[np.float32] = first.golden
        self._keepers = [threading.Thread(target=self._keep, args=(i,), daemon=True) for i in range(count)]
        for index, keeper in enumerate(self._keepers):
            self._add(self._workers[index])
            keeper.start()

    def answer(self, job: InferenceJob) -> InferenceResult:
        """Answer a photo (see :class:`dermport.server.serving.backend.Backend`)."""
        began = time.perf_counter()
        large = is_large(job)
        for _ in range(_ATTEMPTS):
            with self._slots.take(large) as worker:
                waited = 1000 * (time.perf_counter() - began)
                try:
                    done = worker.ask(job)
                except WorkerLostError as error:
                    self._remove(worker)
                    _LOG.warning("%s; its photo goes to another", error)
                    continue
                return replace(done, milliseconds={"wait": waited, **done.milliseconds})
        raise PhotoError(
            "Every worker that was given the photo died of it or took too long.",
            code="photo-damaged",
            remedy="Send another photo; this one may be damaged.",
        )

    def load(self) -> Load:
        """Return how busy the workers are."""
        return Load(*self._slots.counts(), restarts=self._restarts, lent=self.express.lent)

    def pids(self) -> tuple[int, ...]:
        """Return the workers' process numbers."""
        return tuple(worker.pid for worker in self._workers.values())

    def close(self) -> None:
        """End every worker after the photo that it has."""
        self._closing.set()
        self.express.close()
        for worker in tuple(self._workers.values()):
            self._slots.remove(worker)
            worker.stop()
        for keeper in self._keepers:
            keeper.join()

    def _keep(self, index: int) -> None:
        """Have a living worker at `index` until the pool is closed."""
        while True:
            status = self._workers[index].wait()
            self._remove(self._workers[index])
            if self._closing.is_set():
                return
            self._restarts += 1
            _LOG.warning("worker %d ended with status %d and is replaced", self._workers[index].pid, status)
            if not self._replace(index):
                return

    def _replace(self, index: int) -> bool:
        """Start workers, with growing pauses, until one is proved; False where the pool is closed meanwhile."""
        pause = _FIRST_PAUSE
        while not self._closing.wait(pause):
            pause = min(2 * pause, _LONGEST_PAUSE)
            worker = self._launch()
            try:
                worker.wait_until_loaded()
                self._check(worker)
            except DermportError as error:
                worker.kill()
                _LOG.error("a worker could not be replaced: %s", error.message)
                continue
            self._workers[index] = worker
            if self._closing.is_set():
                worker.stop()
                return False
            self._add(worker)
            return True
        return False

    def _add(self, worker: WorkerProcess) -> None:
        self._slots.add(worker)
        self.express.add(worker.lender)

    def _remove(self, worker: WorkerProcess) -> None:
        self._slots.remove(worker)
        self.express.remove(worker.lender)
