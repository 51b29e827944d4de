"""Work for engines, in a module that another process can import."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dermport.errors import DataError
from dermport.progress import Progress
from dermport.training.engines.engine import WorkItem
from dermport.training.engines.local import ProcessEngine


def doubled(number: int, progress: Progress) -> tuple[int, int]:
    """Return the number doubled, and the process that did it; 13 is refused, 99 is a crash."""
    progress.say(f"doubling {number}")
    if number == 13:
        raise DataError("13 cannot be doubled.", remedy="Take another.")
    if number == 99:
        os._exit(1)
    return 2 * number, os.getpid()


def told_and_blocked(folder: Path, progress: Progress) -> None:
    """Say that it runs, and block for ever."""
    sys.stdout.write("running\n")
    sys.stdout.flush()
    os.read(os.pipe()[0], 1)


if __name__ == "__main__":
    list(ProcessEngine(1).run(told_and_blocked, [WorkItem("blocked", Path())], None))  # type: ignore[arg-type]
