"""`dermport serve` as a process of its own, as a user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

DERMPORT = (sys.executable, "-m", "dermport")


@dataclass(frozen=True)
class Server:
    """A running server; its log is in a file, where a full pipe cannot hold it up."""

    process: subprocess.Popen[str]
    url: str
    log: IO[str]

    def pids(self) -> tuple[int, ...]:
        """Return the front process and its workers."""
        return self.process.pid, *self.workers()

    def workers(self) -> tuple[int, ...]:
        """Return the worker processes that run now."""
        children: set[int] = set()
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with suppress(FileNotFoundError):  # a thread that has ended meanwhile
                children.update(map(int, (task / "children").read_text().split()))
        return tuple(sorted(children))

    def resident(self) -> int:
        """Return the resident memory of all its processes in bytes, as `ps` would add it up."""
        return sum(_resident(pid) for pid in self.pids())

    def kill(self) -> None:
        """End it at once, as a power cut would; its workers end by themselves."""
        self.process.kill()
        self.process.wait()

    def said(self) -> str:
        """Return its log."""
        return Path(self.log.name).read_text()


@contextmanager
def serving(folder: Path, state: Path, *options: str) -> Iterator[Server]:
    """Serve the bundles in `folder` on a free port of this machine, until the block ends."""
    command = (*DERMPORT, "serve", str(folder), "--port", "0", "--state", str(state), "--json", *options)
    with (
        tempfile.NamedTemporaryFile("w+", suffix=".log") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, "NO_COLOR": "1"}
        ) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, Path(log.name).read_text()
            yield Server(process, json.loads(line)["url"], log)
        finally:
            process.kill()


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return 1024 * int(line.split()[1])
    return 0
