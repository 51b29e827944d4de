"""Debian's Python for aarch64 on an x86-64 Debian, by qemu-user, with nothing of it installed on the machine.

apt fetches arm64 packages from where this machine gets its own, but with lists, cache and status in a folder; dpkg-deb
unpacks them there. The kernel is not told of the foreign programs (binfmt_misc wants root, and is missing in many
containers), so the environment's ``bin/python`` is a script that starts the emulator. Python is told that the script is
what runs (``-0``), so ``sys.executable``, and with it every worker process of the server, begins with the script again.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from benchmarks.platforms.environments import run
from dermport.errors import UnavailableError

_PACKAGES = ("python3", "libstdc++6")
# An ARMv8.2 core as the Jetson Orin's A78AE; qemu's default has extensions (SVE) that no Jetson has.
_PROCESSOR = "cortex-a76"
_PART = "0xd0b"


def emulated_python(folder: Path) -> Path:
    """Return the Python of a new, empty environment for aarch64.

    Args:
        folder: Where all of it is made.

    Raises:
        UnavailableError: qemu-user, apt or dpkg is missing, or the packages cannot be had.
    """
    emulator = shutil.which("qemu-aarch64")
    if emulator is None:
        raise UnavailableError("qemu-aarch64 is not installed.", remedy="apt-get install qemu-user")
    root = folder / "root"
    for package in _fetched(folder / "apt"):
        run("dpkg-deb", "--extract", package, root)
    _describe_processor(root)
    python = (root / "usr" / "bin" / "python3").resolve()
    return _environment(folder / "venv", python, [emulator, "-cpu", _PROCESSOR, "-L", str(root)])


def _fetched(folder: Path) -> list[Path]:
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    status = folder / "status"  # empty: nothing is installed, so that every dependency is fetched
    status.touch()
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Dir::State": folder / "state",
        "Dir::State::status": status,
        "Dir::Cache": folder / "cache",
        "Dir::Log": folder,
    }
    apt = [
        "apt-get",
        "--quiet",
        "--yes",
        *(word for key, value in settings.items() for word in ("-o", f"{key}={value}")),
    ]
    run(*apt, "update")
    run(*apt, "--download-only", "install", *_PACKAGES)
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def _describe_processor(root: Path) -> None:
    """Let programs read of an ARM processor: cpuinfo, in both runtimes, crashes on a /proc/cpuinfo of x86-64.

    qemu-user shows the machine's own, but prefers a file of its root folder.
    """
    core = f"BogoMIPS\t: 62.50\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {_PART}\n"
    (root / "proc").mkdir()
    cores = range(os.cpu_count() or 1)
    (root / "proc" / "cpuinfo").write_text("".join(f"processor\t: {n}\n{core}CPU revision\t: 1\n\n" for n in cores))


def _environment(folder: Path, python: Path, emulator: list[str]) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "lib" / python.name / "site-packages").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")
    script = folder / "bin" / "python"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(emulator)} -0 "$0" {shlex.quote(str(python))} "$@"\n')
    script.chmod(0o755)
    return script
