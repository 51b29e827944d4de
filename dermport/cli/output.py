"""What the commands print: people's text and progress to stderr, one JSON document to stdout when asked."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from dermport.progress import Update, people

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


_WHOLE = ("evidence",)


def console() -> Console:
    """Return the console for people, on stderr."""
    return _console_on(people())


@functools.lru_cache(maxsize=1)
def _console_on(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line for people (rich markup is understood)."""
    console().print(text)


def new_table(name: str, *columns: str, title: str | None = None) -> Table:
    """Return a table that cuts nothing off and breaks no word, however narrow the terminal.

    The first column, which names the row, and evidence are in one piece: they are looked for.
    """
    from dermport.cli.whole_table import WholeTable

    table = WholeTable(title=title)
    for place, column in enumerate((name, *columns)):
        table.add_column(column, no_wrap=place == 0 or column in _WHOLE, overflow="fold")
    return table


def emit_json(document: Any) -> None:
    """Print the one JSON document of a ``--json`` run to stdout, in ASCII, which every encoding has."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def bar(what: str) -> Iterator[Update]:
    """Yield a callback ``(done, total)`` that draws a bar with the time left."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # Redirected, whatever a library prints meanwhile, and the logger of one imported meanwhile, would reach people.
    with Bars(*columns, console=console(), redirect_stdout=False, redirect_stderr=False) as bars:
        task = bars.add_task(what, total=None)

        def update(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield update
