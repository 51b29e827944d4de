"""The Swift and Kotlin files that packages carry, compiled where a compiler is at hand."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from dermport.exporters.packages.guide import TEMPLATES

ORG_JSON = Path(os.environ.get("ORG_JSON", "/usr/share/java/com.android.json.jar"))

needs_swift = pytest.mark.skipif(
    shutil.which("swiftc") is None, reason="No Swift compiler is on this machine: nothing runs the Swift port"
)
needs_kotlin = pytest.mark.skipif(
    not (shutil.which("kotlinc") and shutil.which("java")),
    reason="No Kotlin compiler, or no Java, is on this machine: nothing runs the Kotlin port",
)


def swift_program(name: str, driver: Path, folder: Path) -> list[str]:
    """Compile the port ``name`` of the iOS package with the folder ``driver``'s main; return what runs it."""
    return compiled_swift([TEMPLATES / "ios" / f"{name}.swift", driver / "main.swift"], folder)


def compiled_swift(sources: Sequence[Path], folder: Path, options: Sequence[str] = ()) -> list[str]:
    """Compile Swift files in `folder`; return what runs them."""
    program = folder / "port"
    done(["swiftc", "-O", "-warnings-as-errors", *map(str, sources), *options, "-o", str(program)])
    return [str(program)]


def kotlin_program(name: str, driver: Path, folder: Path, jars: Sequence[Path] = ()) -> list[str]:
    """Compile the port ``name`` of the Android package with the folder ``driver``'s main; return what runs it."""
    return compiled_kotlin([TEMPLATES / "android" / f"{name}.kt", driver / "Main.kt"], folder, jars)


def compiled_kotlin(sources: Sequence[Path], folder: Path, jars: Sequence[Path] = ()) -> list[str]:
    """Compile Kotlin files in `folder` against `jars`; return what runs them."""
    jar = folder / "port.jar"
    against = ["-cp", os.pathsep.join(map(str, jars))] if jars else []
    done(["kotlinc", *against, "-Werror", "-include-runtime", "-d", str(jar), *map(str, sources)])
    return ["java", "-cp", os.pathsep.join(map(str, [jar, *jars])), "MainKt"]


def done(command: list[str]) -> str:
    """Run a command that must succeed; return what it printed."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
