"""``dermport signing``: the root key leaves the machine, and comes back when keys change."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dermport.cli.main import build_app
from dermport.errors import DataError, UsageError
from dermport.server.delivery.roots import ROOT_KEY
from dermport.server.delivery.signer import Signer


@pytest.fixture
def state(tmp_path: Path) -> Path:
    Signer(tmp_path / "state")
    return tmp_path / "state"


def _run(state: Path, *arguments: str) -> str:
    done = CliRunner().invoke(build_app(), ["signing", *arguments, "--state", str(state)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def _json(state: Path, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_run(state, *arguments, "--json"))
    return found


def test_root_key_leaves_the_machine_and_signs_from_elsewhere(state: Path, tmp_path: Path) -> None:
    server, stick = Signer(state), tmp_path / "stick.key"
    before = _json(state, "show")
    assert "Take it off the machine" in _run(state, "show")
    assert "no longer on this machine" in _run(state, "export-root", str(stick))
    assert (stat.S_IMODE(stick.stat().st_mode), (state / ROOT_KEY).exists()) == (0o600, False)
    assert "Take it off" not in _run(state, "show")
    with pytest.raises(DataError, match="cannot be read"):
        _run(state, "rotate")
    stick.chmod(0o755)  # as a stick without owners shows it
    after = _json(state, "rotate", "--root-key", str(stick))
    assert (after["version"], after["root_keys"]) == (2, before["root_keys"])
    assert after["release_keys"] == [server.public.key_id] != before["release_keys"]  # it runs, and follows
    renewed = _json(state, "rotate", "--root-key", str(stick), "--new-root")
    assert renewed["root_keys"] != before["root_keys"]
    assert renewed["root_key"] == str(state / ROOT_KEY)


def test_nothing_is_written_over_or_made(state: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("the only copy")
    with pytest.raises(DataError, match="File exists"):
        _run(state, "export-root", str(tmp_path / "thesis"))
    assert ((tmp_path / "thesis").read_text(), (state / ROOT_KEY).exists()) == ("the only copy", True)
    with pytest.raises(UsageError, match="no keys yet"):
        _run(tmp_path / "empty", "show")
