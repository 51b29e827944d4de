"""What a benchmark ran on."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from dermport.bundle.benchmark_record import MachineRecord

_MODEL = "proc/device-tree/model"
_RELEASE = "etc/nv_tegra_release"
_L4T = re.compile(r"# R(\d+) \(release\), REVISION: ([\d.]+)")
_JETPACKS = {"35.": "5", "36.": "6", "38.": "7"}
_MODE = re.compile(r"NV Power Mode:\s*(.+)")


def this_machine(root: Path = Path("/")) -> MachineRecord:
    """Return what this process runs on.

    Args:
        root: The folder that holds ``proc`` and ``etc``.
    """
    jetson = _text(root / _MODEL).strip("\0 \n") or None
    return MachineRecord(
        processor=_processor(root),
        cores=os.cpu_count() or 1,
        memory_mib=_memory(root),
        system=platform.platform(),
        python=platform.python_version(),
        jetson=jetson if jetson and "jetson" in jetson.lower() else None,
        jetpack=jetpack(_text(root / _RELEASE)),
        power_mode=power_mode(_nvpmodel()),
    )


def jetpack(release: str) -> str | None:
    """Return e.g. ``"JetPack 6 (L4T 36.4.3)"`` from the text of ``/etc/nv_tegra_release``; None where it is none.

    Source: https://developer.nvidia.com/embedded/jetpack-archive (L4T 35 is JetPack 5, 36 is 6, 38 is 7).
    """
    found = _L4T.search(release)
    if not found:
        return None
    version = f"{found[1]}.{found[2]}"
    name = next((name for prefix, name in _JETPACKS.items() if version.startswith(prefix)), None)
    return f"JetPack {name} (L4T {version})" if name else f"L4T {version}"


def power_mode(answer: str) -> str | None:
    """Return the mode's name from what ``nvpmodel -q`` prints, e.g. ``"MAXN"``; None where it names none."""
    found = _MODE.search(answer)
    return found[1].strip() if found else None


def _processor(root: Path) -> str:
    lines = _text(root / "proc/cpuinfo").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.processor() or platform.machine()


def _memory(root: Path) -> int | None:
    found = re.search(r"MemTotal:\s*(\d+) kB", _text(root / "proc/meminfo"))
    return int(found[1]) // 1024 if found else None


def _nvpmodel() -> str:
    if shutil.which("nvpmodel") is None:
        return ""
    try:
        return subprocess.run(["nvpmodel", "-q"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
