"""Fetch the bindings and build the libraries that let them be imported; the second time there is nothing to do.

``python -m tests.exporters.trt_bindings.prepare`` does so for every version; the tests do it on demand. Everything
lies in ``$DERMPORT_TRT_BINDINGS``, or in ``trt-bindings`` within the running virtual environment.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.exporters.trt_bindings.versions import BINDINGS

HERE = Path(__file__).parent
LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser", "nvparsers")


class NoWheelError(Exception):
    """NVIDIA has published no wheel of the version for this Python and platform."""


def cache() -> Path:
    """Return the folder of everything that is fetched and built, one per Python version."""
    base = os.environ.get("DERMPORT_TRT_BINDINGS")
    folder = Path(base) if base else Path(sys.prefix) / "trt-bindings"
    return folder / f"cp{sys.version_info.major}{sys.version_info.minor}"


def prepared(version: str) -> Path:
    """Return the folder of one version: ``site/tensorrt`` to import, ``lib`` for LD_LIBRARY_PATH.

    Raises:
        NoWheelError: There is no wheel for this Python.
        RuntimeError: The wheel could not be fetched (no network?), or there is no C compiler.
    """
    folder = cache() / version
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder.parent) as work:
                part = Path(work) / "part"
                _unpack(_fetch(version, Path(work)), part / "site")
                _compile(part / "lib", version.split(".", maxsplit=1)[0])
                part.rename(folder)
    return folder


def _fetch(version: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, "--dest", str(folder), BINDINGS[version]], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return next(folder.glob("*.whl"))
    if "No matching distribution" in done.stderr and "Retrying" not in done.stderr:  # pip retries what it cannot reach
        raise NoWheelError(f"no wheel {BINDINGS[version]} for Python {sys.version.split()[0]} on this platform")
    raise RuntimeError(f"{BINDINGS[version]} cannot be fetched; is there a network?\n{done.stderr}")


def _unpack(wheel: Path, site: Path) -> None:
    """Unpack the wheel; it calls its package tensorrt_bindings, TensorRT's own wheel calls it tensorrt."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "tensorrt_bindings").rename(site / "tensorrt")


def _compile(folder: Path, major: str) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("a C compiler (cc or gcc) is needed for the stub libraries")
    folder.mkdir()
    outputs = {f"lib{name}.so.{major}": "tensorrt.c" for name in LIBRARIES}
    for name, source in {**outputs, "libcudart.so": "cuda.c", "libcuda.so.1": "cuda.c"}.items():
        command = [compiler, "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(folder / name), str(HERE / source)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    for known in BINDINGS:
        try:
            sys.stdout.write(f"{prepared(known)}\n")
        except NoWheelError as reason:
            sys.stdout.write(f"{reason}\n")
