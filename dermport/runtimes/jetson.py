"""What a Jetson says of itself: its module, the release of Jetson Linux (L4T), JetPack."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

_MODEL, _RELEASE = "proc/device-tree/model", "etc/nv_tegra_release"
_L4T = re.compile(r"# R(\d+) \(release\), REVISION: ([\d.]+)")
_JETPACKS = {"35": "5", "36": "6", "38": "7"}


def module(root: Path = Path("/")) -> str | None:
    """Return the module's name from the device tree; None where this is no Jetson."""
    name = read_text(root / _MODEL).strip("\0 \n")
    return name if "jetson" in name.lower() else None


def l4t(root: Path = Path("/")) -> str | None:
    """Return the release of Jetson Linux, e.g. ``"36.4.3"``; None where there is none, or none that can be read."""
    found = _L4T.search(read_text(root / _RELEASE))
    return f"{found[1]}.{found[2]}" if found else None


def jetpack(root: Path = Path("/")) -> str:
    """Return JetPack's version by dpkg, else L4T's, else an empty string."""
    if not (root / _RELEASE).is_file():
        return ""
    command = ["dpkg-query", "--showformat=${Version}", "--show", "nvidia-jetpack"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        found = ""
    return found or f"L4T {l4t(root) or ''}".strip()


def jetpack_of(release: str | None) -> str | None:
    """Return e.g. ``"JetPack 6 (L4T 36.4.3)"`` of a release of L4T; None of none.

    Source: https://developer.nvidia.com/embedded/jetpack-archive (L4T 35 is JetPack 5, 36 is 6, 38 is 7).
    """
    if release is None:
        return None
    name = _JETPACKS.get(release.partition(".")[0])
    return f"JetPack {name} (L4T {release})" if name else f"L4T {release}"


def read_text(path: Path) -> str:
    """Return a file's text; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
