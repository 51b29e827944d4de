"""What a benchmark ran on."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from dermport.bundle.benchmark_record import MachineRecord
from dermport.runtimes.jetson import jetpack_of, l4t, module, read_text

_MODE = re.compile(r"NV Power Mode:\s*(.+)")


def this_machine(root: Path = Path("/")) -> MachineRecord:
    """Return what this process runs on.

    Args:
        root: The folder that holds ``proc`` and ``etc``.
    """
    return MachineRecord(
        processor=_processor(root),
        cores=os.cpu_count() or 1,
        memory_mib=_memory(root),
        system=platform.platform(),
        python=platform.python_version(),
        jetson=module(root),
        jetpack=jetpack_of(l4t(root)),
        power_mode=power_mode(_nvpmodel()),
    )


def power_mode(answer: str) -> str | None:
    """Return the mode's name from what ``nvpmodel -q`` prints, e.g. ``"MAXN"``; None where it names none."""
    found = _MODE.search(answer)
    return found[1].strip() if found else None


def _processor(root: Path) -> str:
    lines = read_text(root / "proc/cpuinfo").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.processor() or platform.machine()


def _memory(root: Path) -> int | None:
    found = re.search(r"MemTotal:\s*(\d+) kB", read_text(root / "proc/meminfo"))
    return int(found[1]) // 1024 if found else None


def _nvpmodel() -> str:
    if shutil.which("nvpmodel") is None:
        return ""
    try:
        return subprocess.run(["nvpmodel", "-q"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
