"""Tasks on this machine: one after the other in this process, or in several."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.synchronize import Event

from bundle.errors import UnavailableError
from training.engines.engine import Lines, Named, Result, Task, Work, Worker
from training.phases.loop import Reporter

_LOOK = 0.2  # seconds between two looks of a worker at whether it is still wanted


class InTurn:
    """One task after the other, in this process."""

    def run(self, worker: Worker[Work, Result], tasks: Sequence[Task[Work]], reporter: Reporter) -> Iterator[Result]:
        """Yield the results in order (see :meth:`training.engines.engine.Engine.run`)."""
        for task in tasks:
            yield worker(task.work, Named(task.name, reporter))


@dataclass(frozen=True)
class Processes:
    """Several tasks at once, in processes of this machine.

    Attributes:
        count: How many.
    """

    count: int

    def run(self, worker: Worker[Work, Result], tasks: Sequence[Task[Work]], reporter: Reporter) -> Iterator[Result]:
        """Yield the results as they come (see :meth:`training.engines.engine.Engine.run`).

        Raises:
            UnavailableError: A process ended without a word.
        """
        context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
        unwanted = context.Event()
        with ProcessPoolExecutor(self.count, context, initializer=_begin, initargs=(unwanted,)) as pool:
            try:
                for done in as_completed([pool.submit(_do, worker, task) for task in tasks]):
                    yield done.result()
            except BrokenProcessPool as error:
                raise UnavailableError(
                    "A process that trained was ended from outside, for want of memory perhaps.",
                    remedy="Give the same command again: it goes on where it was. A smaller --parallel needs less.",
                ) from error
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                unwanted.set()


def _do(worker: Worker[Work, Result], task: Task[Work]) -> Result:
    return worker(task.work, Named(task.name, Lines()))


def _begin(unwanted: Event) -> None:
    """Prepare a worker process: it ends with the process that started it, whatever ends that one."""
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # or the first one takes all of a GPU's memory
    threading.Thread(target=_end_with_parent, args=(unwanted,), daemon=True).start()


def _end_with_parent(unwanted: Event) -> None:
    parent = multiprocessing.parent_process()
    while parent is not None and not wait([parent.sentinel], timeout=_LOOK) and not unwanted.is_set():
        pass
    os._exit(1)
