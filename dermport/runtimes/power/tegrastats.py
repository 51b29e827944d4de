"""``tegrastats``, the Jetson's own progress, for where the sensors' files cannot be read (containers)."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from types import TracebackType

from dermport.errors import UnavailableError

# JetPack 5 and 6 say "VDD_IN 5704mW/5704mW" (now/average), JetPack 7 adds a third value, JetPack 4 leaves out "mW".
_RAIL = re.compile(r"\b((?:VDD|VIN|POM|VDDQ)\w*|GPU|CPU|SOC|CV|VDDRQ|SYS5V) (-?\d+)(?:mW)?/-?\d+")
_INTERVAL_MS = 100


def watts(line: str) -> dict[str, float]:
    """Return the power of each rail now, in watts, from one line of ``tegrastats``; empty where it tells none."""
    return {name: int(milliwatts) / 1000 for name, milliwatts in _RAIL.findall(line)}


class Tegrastats:
    """A running ``tegrastats``; use it in a ``with`` block.

    Args:
        command: What to start; its standard output is read line by line.

    Raises:
        UnavailableError: On entering, if there is no such program or it tells no power within `patience` seconds.
    """

    def __init__(self, command: tuple[str, ...] = ("tegrastats", "--interval", str(_INTERVAL_MS))) -> None:
        self._command = command
        self._latest: dict[str, float] = {}
        self._told = threading.Event()
        self.patience = 5.0

    def __enter__(self) -> Tegrastats:
        if shutil.which(self._command[0]) is None:
            raise UnavailableError(f"There is no {self._command[0]} here.")
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._told.wait(self.patience):
            self.__exit__(None, None, None)
            raise UnavailableError(f"{self._command[0]} tells no rail's power.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def read(self) -> dict[str, float]:
        """Return the latest power of each rail, watts."""
        return self._latest

    def _read(self) -> None:
        for line in self._process.stdout or ():
            if rails := watts(line):
                self._latest = rails
                self._told.set()
