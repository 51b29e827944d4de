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
    program = folder / "port"
    sources = [str(TEMPLATES / "ios" / f"{name}.swift"), str(driver / "main.swift")]
    done(["swiftc", "-O", "-warnings-as-errors", *sources, "-o", str(program)])
    return [str(program)]


def kotlin_program(name: str, driver: Path, folder: Path, jars: Sequence[Path] = ()) -> list[str]:
    """Compile the port ``name`` of the Android package with the folder ``driver``'s main; return what runs it."""
    jar = folder / "port.jar"
    sources = [str(TEMPLATES / "android" / f"{name}.kt"), str(driver / "Main.kt")]
    against = ["-cp", os.pathsep.join(map(str, jars))] if jars else []
    done(["kotlinc", *against, "-Werror", "-include-runtime", "-d", str(jar), *sources])
    return ["java", "-cp", os.pathsep.join(map(str, [jar, *jars])), "MainKt"]


def done(command: list[str]) -> str:
    """Run a command that must succeed; return what it printed."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
