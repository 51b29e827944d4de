"""An environment of its own for each peer, made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from dermport.bundle.hashing import sha256_bytes
from dermport.errors import UnavailableError

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "peers"
# All servers are to decode and infer with the very packages that this environment has.
_SHARED = ("onnxruntime", "pillow", "pydantic", "numpy", "simplejpeg")


def requirements(peer: str) -> list[str]:
    """Return a peer's pinned packages, with the shared ones in our versions unless the peer needs another."""
    lines = (ROOT / "benchmarks" / "peers" / peer / "requirements.txt").read_text().split()
    own = {line.partition("==")[0] for line in lines}
    return [*lines, *(f"{name}=={version(name)}" for name in _SHARED if name not in own)]


def interpreter(peer: str) -> Path:
    """Return the Python of a peer's environment, made now unless it is there already.

    Raises:
        UnavailableError: It cannot be made; the message has pip's last words.
    """
    wanted = requirements(peer)
    folder = FOLDER / peer
    mark = folder / "made-of"
    made_of = sha256_bytes("\n".join([sys.version, *wanted]).encode())
    if not mark.exists() or mark.read_text() != made_of:
        _run(peer, [sys.executable, "-m", "venv", "--clear", str(folder)])
        _run(peer, [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *wanted])
        mark.write_text(made_of)
    return folder / "bin" / "python"


def _run(peer: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "without a word").splitlines()
        raise UnavailableError(f"{peer} cannot be installed: {said[-1]}")
