"""The C library's allocator, set so that what a process once needed goes back to the system."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
_ARENAS = 2
# As many of the largest blocks that are kept may lie free before they are given back. glibc's own 128 KiB would give
# back the pixels of every photo, for the next one to fault them in again.
_FREE_AT_THE_TOP = 4


def give_back_from(size: int) -> None:
    """Have blocks of `size` bytes and more mapped by themselves, so that they are gone when they are freed.

    Without this, glibc keeps an arena for each of many threads, and learns from the first large photo to keep blocks
    of its size: memory grows with the variety of what was received. To be called before threads are started; does
    nothing where the C library has no such settings.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_M_ARENA_MAX, _ARENAS)
    mallopt(_M_MMAP_THRESHOLD, size)
    mallopt(_M_TRIM_THRESHOLD, _FREE_AT_THE_TOP * size)
