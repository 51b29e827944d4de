"""How long work tells people how far it is: one protocol, silent unless somebody listens.

``progress=`` of a function takes a :class:`Progress`, which opens a bar for each piece of the work; ``update=`` of a
function inside takes one bar's :data:`Update`. The command line's implementation draws on stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

Update = Callable[[int, int], None]
"""Called with (done, total) as a piece of work proceeds."""


_READ: list[TextIO] = []


def people() -> TextIO:
    """Return where people read: stderr, or what stood for it when the command line gave stderr to a log."""
    return _READ[-1] if _READ else sys.stderr


def tell_people(stream: TextIO | None) -> None:
    """Have people read `stream`; None: stderr."""
    _READ[:] = [stream] if stream else []


class Progress(Protocol):
    """What a person sees while work runs."""

    def say(self, text: str) -> None:
        """Print a line."""

    def bar(self, what: str) -> AbstractContextManager[Update]:
        """Return a bar: a context manager whose value is called with (done, total)."""


class Silent:
    """Tells nobody anything."""

    def say(self, text: str) -> None:
        """Drop the line."""

    @contextmanager
    def bar(self, what: str) -> Iterator[Update]:
        """Yield a callback that does nothing."""
        yield lambda done, total: None


class Printed:
    """Prints lines on stderr, and how far a bar is whenever another percent is done."""

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=people())

    @contextmanager
    def bar(self, what: str) -> Iterator[Update]:
        """Yield a callback that rewrites its line."""
        shown = -1

        def update(done: int, total: int) -> None:
            nonlocal shown
            if (percent := 100 * done // max(1, total)) != shown:
                shown = percent
                print(f"\r{what}: {done:,} of {total:,}", end="", file=people(), flush=True)

        yield update
        if shown >= 0:
            print(file=people())


SILENT: Progress = Silent()
