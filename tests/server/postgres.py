"""A throw-away PostgreSQL, so that what is said of it is tested on it."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

_COUNT = itertools.count()
# No disk is waited for: the tests are about our transactions, not about PostgreSQL's.
_SETTINGS = "-c listen_addresses='' -c fsync=off -c shared_buffers=16MB -c max_connections=20"


def binaries() -> Path | None:
    found = [Path(path) for path in (shutil.which("initdb"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _owner() -> pwd.struct_passwd | None:
    """PostgreSQL refuses root: the user that it runs as then."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


class Cluster:
    """A throw-away PostgreSQL on a unix socket.

    Attributes:
        folder: Its folder, which it may write.
    """

    def __init__(self, binaries: Path) -> None:
        self._binaries, self._owner = binaries, _owner()
        self.folder = Path(tempfile.mkdtemp(prefix="dermport-pg-"))
        self.own(self.folder)
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = f"{_SETTINGS} -k {self.folder}"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", f"{self.folder}/log", "-o", settings, "start")

    def own(self, folder: Path) -> None:
        if self._owner:
            os.chown(folder, self._owner.pw_uid, self._owner.pw_gid)

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "fast", "-w", "-l", f"{self.folder}/log", "restart")

    def sql(self, statement: str) -> None:
        self._run("psql", "-h", str(self.folder), "-U", "postgres", "-q", "-c", statement)

    def new_database(self, options: str = "") -> str:
        name = f"test_{next(_COUNT)}"
        self.sql(f"CREATE DATABASE {name} {options}")
        return f"postgresql://postgres@/{name}?host={self.folder}"

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, command: str, *arguments: str) -> None:
        line = [str(self._binaries / command), *arguments]
        user = self._owner
        ids = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        subprocess.run(line, check=True, capture_output=True, cwd="/", timeout=60, **ids)  # type: ignore[call-overload]
