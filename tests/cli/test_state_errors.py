"""A state folder or database that cannot be used: `keys` and `serve` say which, why and what to do, and end with 2."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dermport.server.config import StorageConfig
from dermport.server.storage.database import open_database
from tests.server.small_disk import small_disk

NOBODY = 54321
COMMANDS = {"keys": ("keys", "create", "name"), "serve": ("serve", "/nowhere", "--port", "0")}
as_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become another user, by setpriv"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _run(command: str, *options: str, user: int | None = None, **variables: str) -> str:
    """Run a command that must be refused, as a person would; return what it says."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        [*_become(user), sys.executable, "-m", "dermport", *COMMANDS[command], *options],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **variables},
        cwd="/",
    )
    assert done.returncode == 2, done.stderr
    log, sign, said = done.stderr.partition("dermport: ")
    assert sign, done.stderr
    assert (log == "") or command == "serve", done.stderr
    assert len(said.splitlines()) <= 2, done.stderr
    assert "Retry-After" not in said
    return said


def _become(user: int | None) -> list[str]:
    """Return what runs a command as a user who may write nothing of others, but read all: Python may be root's."""
    if user is None:
        return []
    reads = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *reads]


def _state(folder: Path) -> Path:
    open_database(StorageConfig(folder / "state")).close()
    return folder / "state"


def _file(folder: Path) -> Path:
    (folder / "state").touch()
    return folder / "state"


def _below_a_file(folder: Path) -> Path:
    return _file(folder) / "below"


def _damaged(folder: Path) -> Path:
    for path in _state(folder).glob("dermport.db*"):
        path.write_bytes(os.urandom(20_000))
    return folder / "state"


def _newer(folder: Path) -> Path:
    with sqlite3.connect(_state(folder) / "dermport.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    return folder / "state"


def _root_s_parent(folder: Path) -> Path:
    return folder / "new"


def _root_s_folder(folder: Path) -> Path:
    (folder / "state").mkdir(mode=0o755)
    return folder / "state"


def _root_s_database(folder: Path) -> Path:
    os.chown(_state(folder), NOBODY, NOBODY)
    return folder / "state"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("make", "said", "remedy"),
    [
        (_file, "it is a file", "--state"),
        (_below_a_file, "it is a file", "--state"),
        (_damaged, "dermport.db cannot be used: file is not a database", "Restore it from a backup"),
        (_newer, "dermport.db cannot be brought to this version's form", "newer dermport"),
        pytest.param(_root_s_parent, "belongs to root, and this is user 54321", "--state", marks=as_root),
        pytest.param(_root_s_folder, "belongs to root, and this is user 54321", "--state", marks=as_root),
        pytest.param(_root_s_database, "belongs to root, and this is user 54321", "--state", marks=as_root),
    ],
)
def test_a_state_that_cannot_be_used(
    folder: Path, command: str, make: Callable[[Path], Path], said: str, remedy: str
) -> None:
    state = make(folder)
    words = _run(command, "--state", str(state), user=NOBODY if "root" in make.__name__ else None)
    assert str(state) in words
    assert said in words
    assert remedy in words


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_that_cannot_be_reached(folder: Path, command: str) -> None:
    pytest.importorskip("psycopg")
    url = f"postgresql://nobody:secret@/none?host={folder}"
    words = _run(command, "--state", str(folder / "state"), "--database", url)
    assert "cannot be used" in words
    assert str(folder) in words
    assert "secret" not in words


@as_root
@pytest.mark.parametrize("command", COMMANDS)
def test_a_user_without_a_home_is_told_of_state(command: str) -> None:
    words = _run(command, user=NOBODY)
    assert "no home folder" in words
    assert "--state" in words


def test_a_full_disk_makes_no_key(folder: Path) -> None:
    with small_disk(folder / "disk", megabytes=1) as disk:
        state = _state(disk)
        with pytest.raises(OSError):
            (disk / "ballast").write_bytes(bytes(2 << 20))
        assert "is full; nothing was stored" in _run("keys", "--state", str(state))


def test_asking_for_keys_makes_no_state(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "keys", ("keys", "list"))
    assert "There is no server's state" in _run("keys", "--state", str(folder / "state"))
    assert not (folder / "state").exists()
