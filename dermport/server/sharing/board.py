"""How busy each process of a server is, where all of them can read it."""

from __future__ import annotations

import atexit
import os
import shutil
import struct
import time
from pathlib import Path

from dermport.server.serving.backend import Load
from dermport.server.sharing.region import SharedRegion

_HEAD = struct.Struct("<q")  # how many workers were lost
_ROW = struct.Struct("<qiii")  # process, waiting, busy, slots
_LOAD = struct.Struct("<iii")
_ROWS = 256
_STARTING = 600.0  # seconds within which the processes of a server have taken their rows


class Board:
    """A row for each process; one that has ended leaves its row to the next.

    Args:
        folder: Where the processes meet.
        tidy: Whether the last process removes the folder.

    Attributes:
        place: The number of this process's row: a small one, which its successor will have.
    """

    def __init__(self, folder: Path, *, tidy: bool = True) -> None:
        self._folder, self._tidy, self._closed = folder, tidy, False
        self._region = SharedRegion(folder / "board", _HEAD.size + _ROWS * _ROW.size)
        with self._region.locked() as memory:
            self.place = next((place for place in range(_ROWS) if not _is_alive(self._row(place)[0])), _ROWS - 1)
            _ROW.pack_into(memory, _at(self.place), os.getpid(), 0, 0, 0)
        atexit.register(self.close)

    def publish(self, load: Load) -> None:
        """Say how busy this process is."""
        if not self._closed:
            _LOAD.pack_into(self._region.memory, _at(self.place) + 8, load.waiting, load.busy, load.slots)

    def load(self) -> Load:
        """Return how busy all of them are together."""
        rows = [row for row in map(self._row, range(_ROWS)) if row[0] and _is_alive(row[0])]
        return Load(*(sum(row[column] for row in rows) for column in (1, 2, 3)))

    def processes(self) -> tuple[int, ...]:
        """Return the numbers of all of them."""
        return tuple(row[0] for row in map(self._row, range(_ROWS)) if row[0] and _is_alive(row[0]))

    def lost(self) -> int:
        """Return how many processes have ended without being told to."""
        return int(_HEAD.unpack_from(self._region.memory)[0])

    def close(self) -> None:
        """Leave the row."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        with self._region.locked() as memory:
            _ROW.pack_into(memory, _at(self.place), 0, 0, 0, 0)
            if self._tidy and not self.processes():
                shutil.rmtree(self._folder, ignore_errors=True)
        self._region.close()

    def _row(self, place: int) -> tuple[int, int, int, int]:
        process, waiting, busy, slots = _ROW.unpack_from(self._region.memory, _at(place))
        return process, waiting, busy, slots


def sweep(folder: Path) -> None:
    """Remove what servers beside `folder` have left behind that were killed with all their processes.

    Args:
        folder: Where the processes of one server meet.
    """
    for other in folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*"):
        if other != folder and _is_abandoned(other):
            shutil.rmtree(other, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        if time.time() - folder.stat().st_mtime < _STARTING:
            return False
        rows = (folder / "board").read_bytes()[_HEAD.size :]
    except FileNotFoundError:
        return False
    return not any(_is_alive(process) for process, *_ in _ROW.iter_unpack(rows))


def count_lost(folder: Path) -> None:
    """Count a worker that has ended without being told to; for a process that has no row."""
    region = SharedRegion(folder / "board", _HEAD.size + _ROWS * _ROW.size)
    with region.locked() as memory:
        _HEAD.pack_into(memory, 0, 1 + _HEAD.unpack_from(memory)[0])
    region.close()


def _at(place: int) -> int:
    return _HEAD.size + place * _ROW.size


def _is_alive(process: int) -> bool:
    if not process:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
