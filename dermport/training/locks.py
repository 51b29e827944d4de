"""Files that processes hold in turns, on one machine or on storage that several machines share (flock(2)).

The system lets go of a file when the process that holds it ends, whatever ends it. Where the system or the storage has
no such locks (Windows, some network file systems), nobody waits.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    _ALONE = _SHARED = 0
else:
    _ALONE, _SHARED = fcntl.LOCK_EX, fcntl.LOCK_SH


@contextlib.contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold a file alone; it is made where it is not there, and removed by whoever held it."""
    while True:
        with _opened(path) as file:
            _wait_for(file, _ALONE)
            if not _is_at(path, file):  # who held it before has removed it: another one may be there by now
                continue
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # Windows removes no open file
                    path.unlink()
            return


@dataclass(frozen=True)
class SharedLock:
    """A place in which several may work at once, and one at a time may be alone."""

    file: int

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Wait until nobody else is in the place, and keep everybody out."""
        _wait_for(self.file, _ALONE)  # lets go of its own share first, so that two who wait do not wait for each other
        try:
            yield
        finally:
            _wait_for(self.file, _SHARED)


@contextlib.contextmanager
def shared_lock(path: Path) -> Iterator[SharedLock]:
    """Hold a file together with others, and be in the place that it stands for."""
    with _opened(path) as file:
        _wait_for(file, _SHARED)
        yield SharedLock(file)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        yield file.fileno()


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _wait_for(file: int, how: int) -> None:
    if how:
        with contextlib.suppress(OSError):
            fcntl.flock(file, how)
