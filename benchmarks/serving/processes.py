"""What a server and its processes take of the machine, from Linux' /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Memory:
    """A process' memory in MiB.

    Attributes:
        pid: Its number.
        command: The first words of its command line.
        rss: Resident, pages shared with other processes counted whole.
        pss: Resident, pages shared with others counted in proportion.
        peak: The largest `rss` since it began, or since :func:`forget_peaks`.
    """

    pid: int
    command: str
    rss: float
    pss: float
    peak: float


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    parents = dict(_parents())
    found = [pid]
    for parent in found:
        found += [child for child, its in parents.items() if its == parent]
    return found


def memory_of(pids: Iterable[int]) -> list[Memory]:
    """Return the memory of those of the processes that are still there."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            rollup = _fields(PROC / str(pid) / "smaps_rollup")
            peak = _fields(PROC / str(pid) / "status")["VmHWM"]
            found.append(Memory(pid, _command(pid), rollup["Rss"], rollup["Pss"], peak))
    return found


def descriptors_of(pids: Iterable[int]) -> int:
    """Return how many descriptors the processes have open, all together."""
    found = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            found += len(list((PROC / str(pid) / "fd").iterdir()))
    return found


def cpu_seconds_of(pids: Iterable[int]) -> float:
    """Return the processor time that the processes have taken since they began, in seconds."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            ticks += sum(map(int, _stat(pid)[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def forget_peaks(pids: Iterable[int]) -> None:
    """Let the peaks begin anew (man 5 proc, /proc/pid/clear_refs)."""
    for pid in pids:
        with contextlib.suppress(OSError):
            (PROC / str(pid) / "clear_refs").write_text("5")


def end(pid: int, seconds: float) -> None:
    """Ask a process to end, wait, and kill what is left of it and its descendants, which nobody else has started."""
    family = {member: _started(member) for member in tree(pid)}
    _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(_lives(member, began) for member, began in family.items()):
        _reap(pid)
        time.sleep(0.05)
    for member, began in family.items():
        if _lives(member, began):
            _signal(member, signal.SIGKILL)
    _reap(pid)


def _parents() -> Iterator[tuple[int, int]]:
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError, IndexError):
                yield int(folder.name), int(_stat(int(folder.name))[1])


def _stat(pid: int) -> list[str]:
    """Return what follows the name in /proc/pid/stat: state, parent, ... (the name may hold blanks and brackets)."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _started(pid: int) -> str:
    """Return when a process began, in clock ticks, which with its number names it; nothing where there is none."""
    with contextlib.suppress(OSError, IndexError):
        return _stat(pid)[19]
    return ""


def _lives(pid: int, began: str) -> bool:
    with contextlib.suppress(OSError, IndexError):
        stat = _stat(pid)
        return stat[19] == began and stat[0] != "Z"
    return False


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _command(pid: int) -> str:
    words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    return " ".join(Path(word.decode(errors="replace")).name for word in words[:4] if word)


def _fields(path: Path) -> dict[str, float]:
    """Return the lines ``Name:   123 kB`` of a file in MiB."""
    split = (line.split() for line in path.read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in split if len(words) == 3 and words[2] == "kB"}
