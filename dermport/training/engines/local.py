"""Tasks on this machine: one after the other in this process, or in several."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import connection
from multiprocessing.context import SpawnContext
from multiprocessing.reduction import DupFd
from multiprocessing.synchronize import Event
from typing import Annotated, Any, Generic, TextIO

from dermport.errors import UnavailableError
from dermport.options import Option
from dermport.progress import Progress, people, tell_people
from dermport.training.engines.engine import NamedProgress, Result, Work, Worker, WorkItem, do_in_worker, run_tasks

_LOOK = 0.2  # seconds between two looks of a worker at whether it is still wanted


class SerialEngine:
    """One task after the other, in this process."""

    def run(
        self, worker: Worker[Work, Result], tasks: Iterable[WorkItem[Work]], progress: Progress
    ) -> Iterator[Result]:
        """Yield the results in order (see :meth:`dermport.training.engines.engine.Engine.run`)."""
        for task in tasks:
            yield worker(task.work, NamedProgress(task.name, progress))


@dataclass(frozen=True)
class ProcessEngine:
    """Several tasks at once, in processes of this machine.

    Attributes:
        count: How many.
        tasks_each: After how many tasks a process is replaced by a new one, and its memory given back; 0: never.
    """

    count: Annotated[int, Option("How many.", name="parallel")]
    tasks_each: int = 0

    def run(
        self, worker: Worker[Work, Result], tasks: Iterable[WorkItem[Work]], progress: Progress
    ) -> Iterator[Result]:
        """Yield the results as they come (see :meth:`dermport.training.engines.engine.Engine.run`).

        Raises:
            UnavailableError: A process ended without a word.
        """
        context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
        processes = [_WorkerProcess(context, self.tasks_each) for _ in range(self.count)]
        try:
            yield from run_tasks(_ProcessPool(worker, processes), tasks)
        except BrokenProcessPool as error:
            raise UnavailableError(
                "A process that worked was ended from outside, for want of memory perhaps.",
                remedy="Give the same command again: it goes on where it was. A smaller {count} needs less.",
                of=ProcessEngine,
            ) from error
        finally:
            for process in processes:
                process.close()


@dataclass
class _WorkerProcess:
    """One process, begun when it is first needed, and replaced after so many tasks.

    ProcessPoolExecutor can do that by itself from Python 3.11 on, and may hang then: python/cpython#115634.
    """

    context: SpawnContext
    tasks_each: int
    _pool: ProcessPoolExecutor | None = field(default=None, init=False)
    _unwanted: Event = field(init=False)
    _given: int = field(default=0, init=False)

    def do(self, worker: Worker[Work, Result], task: WorkItem[Work]) -> Future[Result]:
        if self.tasks_each and self._given >= self.tasks_each:
            self.close()
        if self._pool is None:
            self._unwanted = self.context.Event()
            self._pool = ProcessPoolExecutor(1, self.context, initializer=partial(_begin, self._unwanted, _People()))
        self._given += 1
        return self._pool.submit(do_in_worker, worker, task)

    def close(self) -> None:
        if self._pool is not None:
            self._unwanted.set()  # what it is at is given up, and no library keeps it from ending
            self._pool.shutdown(cancel_futures=True)
        self._pool, self._given = None, 0


class _ProcessPool(Generic[Work, Result]):
    """The processes as an executor (see :class:`dermport.training.engines.engine.TaskExecutor`)."""

    def __init__(self, worker: Worker[Work, Result], processes: list[_WorkerProcess]) -> None:
        self._worker = worker
        self._idle = list(reversed(processes))  # the first one is taken first
        self._doing: dict[Future[Result], _WorkerProcess] = {}

    @property
    def room(self) -> bool:
        return bool(self._idle)

    @property
    def busy(self) -> bool:
        return bool(self._doing)

    def begin(self, task: WorkItem[Work]) -> None:
        process = self._idle.pop()
        self._doing[process.do(self._worker, task)] = process

    def finished(self) -> Iterator[Result]:
        done = wait(self._doing, return_when=FIRST_COMPLETED).done
        for future in done:
            self._idle.append(self._doing.pop(future))
            yield future.result()


class _People:
    """Where people read, on its way to a new process, whose stderr may be a log."""

    def __reduce__(self) -> tuple[Callable[[Any], TextIO | None], tuple[Any]]:
        try:
            return _opened, (DupFd(people().fileno()),)
        except (OSError, ValueError):  # a notebook's or a test's: the new process has a stderr of its own
            return _opened, (None,)


def _opened(descriptor: Any) -> TextIO | None:
    return descriptor and os.fdopen(descriptor.detach(), "w", encoding="utf-8", errors="backslashreplace")


def _begin(unwanted: Event, readers: Any) -> None:
    """Prepare a worker process: it ends with the process that started it, whatever ends that one."""
    tell_people(readers)
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # or the first one takes all of a GPU's memory
    threading.Thread(target=_end_with_parent, args=(unwanted,), daemon=True).start()


def _end_with_parent(unwanted: Event) -> None:
    parent = multiprocessing.parent_process()
    while parent is not None and not connection.wait([parent.sentinel], timeout=_LOOK) and not unwanted.is_set():
        pass
    os._exit(1)
