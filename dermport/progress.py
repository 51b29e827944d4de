"""How long work tells people how far it is: one protocol, silent unless somebody listens.

``progress=`` of a function takes a :class:`Progress`, which opens a bar for each piece of the work; ``update=`` of a
function inside takes one bar's :data:`Update`. The command line's implementation draws on stderr.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Update = Callable[[int, int], None]
"""Called with (done, total) as a piece of work proceeds."""


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


SILENT: Progress = Silent()
