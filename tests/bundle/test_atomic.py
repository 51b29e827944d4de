"""Atomic writes: whole or absent, whatever happens to the writer."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dermport.bundle import atomic
from dermport.errors import UsageError


def test_directory_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "a" / "made"
    with atomic.atomic_directory(target) as part:
        (part / "file").write_text("x")
        assert not target.exists()
    assert (target / "file").read_text() == "x"
    assert [p.name for p in target.parent.iterdir()] == ["made"]


def test_a_failed_block_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic.atomic_directory(tmp_path / "made") as part:
            (part / "file").write_text("x")
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert not list(tmp_path.iterdir())


def test_existing_folder_is_kept_unless_replacing(tmp_path: Path) -> None:
    target = tmp_path / "made"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(UsageError, match="exists already"), atomic.atomic_directory(target):
        pass
    assert (target / "old").exists()
    with atomic.atomic_directory(target, replace=True) as part:
        (part / "new").write_text("new")
    assert [p.name for p in target.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["made"]


def test_killed_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    atomic.write_text(path, "old")
    code = f"""
import os, signal
from pathlib import Path
from dermport.bundle import atomic
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
atomic.write_text(Path({str(path)!r}), "new" * 100_000)
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_write_json_is_readable_by_people(tmp_path: Path) -> None:
    atomic.write_json(tmp_path / "x.json", {"ä": [1]})
    assert (tmp_path / "x.json").read_text() == '{\n  "ä": [\n    1\n  ]\n}\n'
