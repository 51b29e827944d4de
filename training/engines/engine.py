"""What an engine is: it runs tasks that do not depend on each other, somewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from training.phases.loop import Reporter

Work = TypeVar("Work")
Result = TypeVar("Result")

Worker = Callable[[Work, Reporter], Result]
"""Does a task: a function at the top level of a module, which another process can import; its result is pickled."""


@dataclass(frozen=True)
class Task(Generic[Work]):
    """One thing to do.

    Attributes:
        name: Told before each line of its progress.
        work: What is to be done; it is pickled, and its paths must mean the same wherever it is done.
    """

    name: str
    work: Work


class Engine(Protocol):
    """Runs tasks."""

    def run(self, worker: Worker[Work, Result], tasks: Sequence[Task[Work]], reporter: Reporter) -> Iterator[Result]:
        """Yield the results as they come, in any order.

        The first error ends everything: what is under way is stopped, as by a kill.

        Args:
            worker: What does a task.
            tasks: What is to be done.
            reporter: Where what is done in this process is shown; others write lines to stderr.
        """


@dataclass(frozen=True)
class Named:
    """A reporter that tells of which task a line is.

    Attributes:
        name: The task's.
        reporter: Where the lines go.
    """

    name: str
    reporter: Reporter

    def say(self, text: str) -> None:
        """Print a line."""
        self.reporter.say(f"{self.name}: {text}")

    def progress(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Return a bar."""
        return self.reporter.progress(f"{self.name}: {what}")


class Lines:
    """A reporter that writes lines to stderr and draws no bars, which several processes would draw over each other."""

    def say(self, text: str) -> None:
        """Print a line."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def progress(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Draw nothing."""
        return nullcontext(lambda done, total: None)
