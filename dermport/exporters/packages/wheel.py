"""dermport's own wheel, built from the sources that are running, with the same bytes each time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dermport.errors import UnavailableError

_EPOCH = "315532800"  # 1980-01-01, the earliest time that a zip can name
_BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def build_wheel() -> tuple[str, bytes]:
    """Return the file name and the bytes of dermport's wheel.

    Built from a copy, so that the checkout gets no ``build/`` and no stale file of one gets into the wheel.

    Raises:
        UnavailableError: The sources or setuptools are not on this machine.
    """
    sources = source_root()
    with tempfile.TemporaryDirectory(prefix="dermport-wheel-") as name:
        copy, out = Path(name, "sources"), Path(name, "out")
        _copy(sources, copy)
        out.mkdir()
        _run(copy, out)
        wheel = next(out.glob("*.whl"))
        return wheel.name, wheel.read_bytes()


def source_root() -> Path:
    """Return the folder of the sources: the running ones, else those that pip recorded.

    Raises:
        UnavailableError: dermport was installed from a wheel, and its sources are nowhere.
    """
    for folder in (Path(__file__).parents[3], _recorded_root()):
        if folder and (folder / "pyproject.toml").is_file():
            return folder
    raise UnavailableError(
        "dermport's sources are not on this machine, and the Jetson's package holds a wheel built from them.",
        remedy="Clone dermport, `pip install --editable '.[export]'` there, and package again.",
    )


def _recorded_root() -> Path | None:
    """The folder that ``pip install DIR`` noted (PEP 610)."""
    try:
        text = metadata.distribution("dermport").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    url = urlsplit(json.loads(text)["url"]) if text else None
    return Path(unquote(url.path)) if url and url.scheme == "file" else None


def _copy(sources: Path, copy: Path) -> None:
    """Copy the package and what the build reads, with the same modes whatever the checkout's are."""
    copy.mkdir()
    shutil.copytree(
        sources / "dermport", copy / "dermport", ignore=shutil.ignore_patterns("__pycache__", "node_modules")
    )
    for path in sorted(sources.iterdir()):
        if path.name == "pyproject.toml" or path.name.startswith(("README", "LICENSE")):
            shutil.copyfile(path, copy / path.name)
    for path in copy.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _run(copy: Path, out: Path) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _EPOCH, "PYTHONPATH": ""}
    command = [sys.executable, "-c", _BUILD, str(out)]
    done = subprocess.run(command, cwd=copy, env=environment, umask=0o022, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "no output").splitlines()[-1]
        raise UnavailableError(
            f"dermport's wheel could not be built: {last}", remedy="pip install 'setuptools>=77' and package again."
        )
