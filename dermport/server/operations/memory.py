"""How much memory the server's processes hold."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")


def resident_bytes() -> dict[str, int]:
    """Return resident memory by part: "front", this process, and "workers", its children; empty without /proc."""
    own = _resident("self")
    if own is None:
        return {}
    return {"front": own, "workers": sum(_resident(pid) or 0 for pid in _children())}


def _resident(pid: str) -> int | None:
    try:
        return int((_PROC / pid / "statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return None


def _children() -> list[str]:
    """Return the processes that were started by any of our threads."""
    found: list[str] = []
    for listed in _PROC.glob("self/task/*/children"):
        try:
            found += listed.read_text().split()
        except OSError:  # the thread has ended
            continue
    return found
