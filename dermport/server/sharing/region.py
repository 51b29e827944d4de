"""A piece of memory that processes share, and its lock, which no dead process keeps."""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SharedRegion:
    """A mapped file; all zeros at first.

    Args:
        path: The file; made where it is missing.
        size: Its bytes.

    Attributes:
        memory: Its bytes; whoever changes more than one number at a time holds the lock.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.posix_fallocate(self._descriptor, 0, size)  # else a full disk would end the process later
        self.memory = mmap.mmap(self._descriptor, size)
        self._threads = threading.Lock()

    @contextmanager
    def locked(self) -> Iterator[mmap.mmap]:
        """Have the memory for the ``with`` block, alone among all threads and processes."""
        with self._threads:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                yield self.memory
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Free it."""
        self.memory.close()
        os.close(self._descriptor)


class OnlyOne:
    """A lock that one process has, for as long as it lives.

    Args:
        path: The lock's file; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def is_mine(self) -> bool:
        """Take the lock if it is free; return whether this process has it."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Leave it to others."""
        os.close(self._descriptor)
