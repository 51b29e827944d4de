"""What an engine is: it runs tasks that do not depend on each other, somewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from dermport.progress import Progress, people

Work = TypeVar("Work")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

Worker = Callable[[Work, Progress], Result]
"""Does a task: a function at the top level of a module, which another process can import; its result is pickled."""


@dataclass(frozen=True)
class WorkItem(Generic[Work]):
    """One thing to do.

    Attributes:
        name: Told before each line of its progress.
        work: What is to be done; it is pickled, and its paths must mean the same wherever it is done.
    """

    name: str
    work: Work


class Engine(Protocol):
    """Runs tasks."""

    def run(
        self, worker: Worker[Work, Result], tasks: Iterable[WorkItem[Work]], progress: Progress
    ) -> Iterator[Result]:
        """Yield the results as they come, in any order.

        A task is drawn when there is somebody to do it, and not before every result so far was yielded: what is to be
        done next may depend on what was found. The first error ends everything: what is under way is stopped, as by a
        kill.

        Args:
            worker: What does a task.
            tasks: What is to be done; once it has ended, it is not asked again.
            progress: Where what is done in this process is shown; others write lines to stderr.
        """


class TaskExecutor(Protocol[Work, Result_co]):
    """Does several tasks at once."""

    @property
    def room(self) -> bool:
        """Whether another task can be begun."""
        ...

    @property
    def busy(self) -> bool:
        """Whether a task is under way."""
        ...

    def begin(self, task: WorkItem[Work]) -> None:
        """Begin a task; only where there is room."""

    def finished(self) -> Iterator[Result_co]:
        """Wait for a task that is under way, and yield its result, and those of others that are done."""


def run_tasks(executor: TaskExecutor[Work, Result], tasks: Iterable[WorkItem[Work]]) -> Iterator[Result]:
    """Yield the results of tasks that an executor does, each drawn as :meth:`Engine.run` says."""
    drawn = iter(tasks)
    while True:
        while executor.room and (task := next(drawn, None)) is not None:
            executor.begin(task)
        if not executor.busy:
            return
        yield from executor.finished()


@dataclass(frozen=True)
class NamedProgress:
    """A progress that tells of which task a line is.

    Attributes:
        name: The task's.
        progress: Where the lines go.
    """

    name: str
    progress: Progress

    def say(self, text: str) -> None:
        """Print a line."""
        self.progress.say(f"{self.name}: {text}")

    def bar(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Return a bar."""
        return self.progress.bar(f"{self.name}: {what}")


class LineProgress:
    """A progress that writes lines to stderr and draws no bars, which several processes would draw over each other."""

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=people(), flush=True)

    def bar(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Draw nothing."""
        return nullcontext(lambda done, total: None)


def do_in_worker(worker: Worker[Work, Result], task: WorkItem[Work]) -> Result:
    """Do a task in another process than the one that draws."""
    return worker(task.work, NamedProgress(task.name, LineProgress()))
