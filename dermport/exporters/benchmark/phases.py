"""How a long measurement tells how far it is: a report for each phase, opened and closed by whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[int, int], None]
Phase = Callable[[str], AbstractContextManager[Progress]]


@contextmanager
def silent(what: str) -> Iterator[Progress]:
    """Report nothing: the :data:`Phase` of whoever does not watch."""
    yield lambda done, total: None
