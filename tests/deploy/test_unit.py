"""The systemd unit, filled in as a package has it: known to systemd, and shut in."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dermport.exporters.packages.guide import TEMPLATES, fill
from dermport.server.listener import DRAIN_SECONDS

# Newer than the systemd of JetPack 6 and of Debian 12, which ignore them.
NEWER = {"RestartSteps", "RestartMaxDelaySec"}
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    values = dict.fromkeys(("notice", "name", "version"), "tiny")
    text = fill(TEMPLATES / "jetson" / "dermport.service", values).decode()
    path = tmp_path / "dermport.service"
    # The command has to exist where the unit is checked.
    path.write_text(text.replace("/opt/dermport/venv/bin/dermport", "/bin/true"))
    return path


def _settings(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def _seconds(unit: Path, name: str) -> float:
    [value] = _settings(unit)[name]
    return float(value)


@needs_systemd
def test_systemd_knows_every_setting(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if not any(f"'{name}'" in line for name in NEWER)]
    assert (done.returncode, said) == (0, [])


@needs_systemd
def test_the_service_is_shut_in(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_runs_unattended(unit: Path) -> None:
    settings = _settings(unit)
    assert settings["Type"] == ["notify"]
    assert settings["Restart"] == ["always"]
    assert settings["StartLimitIntervalSec"] == ["0"]
    assert settings["KillMode"] == ["mixed"]
    assert _seconds(unit, "TimeoutStopSec") > DRAIN_SECONDS
    assert _seconds(unit, "WatchdogSec") >= 30
    for order in ("After", "Wants"):
        assert settings[order] == ["network-online.target time-sync.target"]


def test_the_gpu_stays_in_reach_and_nothing_else(unit: Path) -> None:
    settings = _settings(unit)
    assert "PrivateDevices" not in settings
    assert "MemoryDenyWriteExecute" not in settings  # CUDA compiles kernels
    assert settings["DevicePolicy"] == ["closed"]
    assert all(re.fullmatch(r"(char-(nv\*|host1x\*|drm)|/dev/nv\w+) rw", value) for value in settings["DeviceAllow"])
    assert settings["ProtectSystem"] == ["strict"]
    assert settings["LimitCORE"] == ["0"]  # a core file would hold photos
