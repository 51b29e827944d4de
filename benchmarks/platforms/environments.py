"""Environments of the wheel with [server] alone: the wheel as it is committed, and what came with it."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dermport.errors import UnavailableError

ROOT = Path(__file__).parents[2]
# What trains and exports has no business where a server runs.
UNWANTED = frozenset({"tensorflow", "tensorflow-cpu", "keras", "onnx", "tf2onnx", "coremltools"})
_DESCRIBE = """
import importlib.metadata, json, platform
packages = {found.metadata["Name"].lower(): found.version for found in importlib.metadata.distributions()}
print(json.dumps({"python": platform.python_version(), "machine": platform.machine(), "packages": packages}))
"""


@dataclass(frozen=True)
class Wheel:
    """A wheel of ours.

    Attributes:
        path: The file.
        commit: What it was built from.
        constraints: The versions that go with it.
    """

    path: Path
    commit: str
    constraints: Path


@dataclass(frozen=True)
class Environment:
    """Where the wheel is installed.

    Attributes:
        interpreter: Its Python.
        python: That Python's version.
        machine: ``x86_64`` or ``aarch64``.
        packages: What is installed, by name in small letters.
    """

    interpreter: Path
    python: str
    machine: str
    packages: dict[str, str]

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"Python {self.python}, {self.machine}"

    @property
    def is_emulated(self) -> bool:
        """Whether it is for another processor than this machine's."""
        return self.machine != platform.machine()

    @property
    def unwanted(self) -> list[str]:
        """What should not have come along."""
        return sorted(UNWANTED & self.packages.keys())


def committed_wheel(folder: Path) -> Wheel:
    """Build the wheel of the last commit, from a clone of its own: nothing of the working tree gets into it."""
    source = folder / "source"
    run("git", "clone", "--quiet", ROOT, source)
    commit = run("git", "-C", source, "rev-parse", "--short", "HEAD").strip()
    run(*_pip(), "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source)
    [path] = folder.glob("dermport-*.whl")
    return Wheel(path, commit, source / "constraints.txt")


def native_python(folder: Path, python: str) -> Path:
    """Return the Python of a new, empty environment.

    Args:
        folder: Where it is made.
        python: The Python that it is for: a path, or a name such as ``python3.10``.
    """
    run(python, "-m", "venv", "--without-pip", folder)
    return folder / "bin" / "python"


def install(interpreter: Path, wheel: Wheel) -> Environment:
    """Install the wheel with [server] alone, by the pip of this process' Python."""
    wanted = f"{wheel.path}[server]"
    run(*_pip(interpreter), "install", "--quiet", "--only-binary", ":all:", "--constraint", wheel.constraints, wanted)
    return Environment(interpreter, **json.loads(run(interpreter, "-c", _DESCRIBE)))


def _pip(interpreter: Path | None = None) -> tuple[str | Path, ...]:
    chosen = ("--python", interpreter) if interpreter else ()
    return (sys.executable, "-m", "pip", "--disable-pip-version-check", *chosen)


def run(*command: str | Path) -> str:
    """Run a command and return what it says.

    Raises:
        UnavailableError: It fails; the message has its last words.
    """
    words: Sequence[str] = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise UnavailableError(f"There is no {words[0]} here.", remedy="Install it.") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip() or error.stdout.strip() or "without a word").splitlines()
        raise UnavailableError(f"{' '.join(words[:4])} ... failed: {said[-1]}", remedy="See above.") from error
    return done.stdout
