"""``dermport doctor``: is this machine fit, and what would make it so."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from dermport.cli.options import Json
from dermport.cli.output import console, emit_json


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: What.
        ok: Whether it is as some command needs it.
        found: What there is.
        remedy: What to do where it is not; empty where nothing can be.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""


# Each extra with the distributions that its commands import.
EXTRAS: dict[str, tuple[str, ...]] = {
    "train": ("tensorflow-cpu|tensorflow", "keras", "scikit-learn", "matplotlib"),
    "export": ("onnx", "tf2onnx", "onnxruntime", "coremltools", "ai-edge-litert", "litert-quantizer"),
    "server": ("flask", "gunicorn", "onnxruntime", "ai-edge-litert"),
    "phone": ("ai-edge-litert", "httpx2|httpx", "jinja2"),
}
_DISK_GB = 2.0


def doctor(json: Json = False) -> None:
    """Look at this machine: Python, packages, decoders, disk, TensorRT, Core ML; exit 1 if nothing can be done here."""
    checks = examine()
    if json:
        emit_json({"checks": [asdict(check) for check in checks]})
    else:
        _print_table(checks)
    usable = checks[0].ok and any(check.ok for check in checks if check.name.startswith("extra"))
    raise typer.Exit(int(not usable))


def examine() -> list[Check]:
    """Return every check, the Python version first."""
    return [_python(), *(_extra(name) for name in EXTRAS), _decoders(), _disk(), *_devices()]


def _python() -> Check:
    usable = (3, 10) <= sys.version_info < (3, 15)
    return Check("python", usable, platform.python_version(), "Use Python 3.10 to 3.13 (server and phone: or 3.14).")


def _extra(name: str) -> Check:
    versions = {wanted: _version(wanted) for wanted in EXTRAS[name]}
    missing = [wanted for wanted, version in versions.items() if not version]
    found = ", ".join(f"{wanted.split('|')[0]} {version}" for wanted, version in versions.items() if version)
    if missing:
        found = f"missing: {', '.join(missing)}"
    return Check(f"extra [{name}]", not missing, found, f"pip install 'dermport[{name}]'")


def _decoders() -> Check:
    from dermport.bundle.vectors.proof import REMEDY, misreading

    said = misreading()
    packages = ", ".join(f"{name} {_version(name)}" for name in ("pillow", "simplejpeg"))
    return Check("photos", not said, said or f"read as published ({packages})", REMEDY)


def _version(alternatives: str) -> str:
    from importlib import metadata

    for name in alternatives.split("|"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return Check("disk here", free >= _DISK_GB, f"{free:.0f} GB free", f"Training and exporting want {_DISK_GB:g} GB.")


def _devices() -> list[Check]:
    from dermport.exporters.registry import TARGETS

    return [
        Check(f"target {name}", not target.unavailable(), target.unavailable() or target.runs_here())
        for name, target in TARGETS.items()
    ]


def _print_table(checks: list[Check]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "check", "found", "remedy")
    for check in checks:
        mark = "[green]ok[/]" if check.ok else "[yellow]no[/]"
        table.add_row(mark, escape(check.name), escape(check.found), "" if check.ok else escape(check.remedy))
    console().print(table)
