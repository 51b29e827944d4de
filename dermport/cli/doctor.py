"""``dermport doctor``: is this machine fit, and what would make it so."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from dermport.cli.options import Json
from dermport.cli.output import console, emit_json, new_table, say
from dermport.runtimes.jetson import jetpack_of, l4t, module


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: What.
        ok: Whether it is as some command needs it; None where it is not here at all, as training is not on a server.
        found: What there is.
        remedy: What to do where it is not; empty where nothing can be.
    """

    name: str
    ok: bool | None
    found: str
    remedy: str = ""


# Each extra with the distributions that its commands import; without the first, nobody asked for it.
EXTRAS: dict[str, tuple[str, ...]] = {
    "train": ("tensorflow-cpu|tensorflow", "keras", "scikit-learn", "matplotlib"),
    "export": ("tf2onnx", "onnx", "onnxruntime", "coremltools", "ai-edge-litert", "litert-quantizer"),
    "server": ("flask", "gunicorn", "onnxruntime", "ai-edge-litert"),
    "phone": ("httpx2|httpx", "ai-edge-litert", "jinja2"),
}
_DISK_GB = 2.0


def doctor(json: Json = False) -> None:
    """Look at this machine: Python, packages, decoders, disk, runtimes, targets; exit 1 if nothing can be done here."""
    checks = examine()
    if json:
        emit_json({"checks": [asdict(check) for check in checks]})
    else:
        _print_table(checks)
    usable = checks[0].ok and any(check.ok for check in checks if check.name.startswith("extra"))
    raise typer.Exit(int(not usable))


def examine(root: Path = Path("/")) -> list[Check]:
    """Return every check, the Python version first; `root` holds ``proc`` and ``etc``."""
    jetson = module(root)
    extras = {name: _extra(name) for name in EXTRAS}
    return [
        _python(),
        *([Check("machine", True, ", ".join(filter(None, (jetson, jetpack_of(l4t(root))))))] if jetson else ()),
        *extras.values(),
        _decoders(),
        _disk(),
        *(_runtimes(on_jetson=bool(jetson)) if extras["server"].ok else ()),
        *(_targets() if extras["export"].ok else ()),
    ]


def _python() -> Check:
    usable = (3, 10) <= sys.version_info < (3, 15)
    return Check("python", usable, platform.python_version(), "Use Python 3.10 to 3.13 (server and phone: or 3.14).")


def _extra(name: str) -> Check:
    versions = {wanted: _version(wanted) for wanted in EXTRAS[name]}
    missing = [wanted for wanted, version in versions.items() if not version]
    found = ", ".join(f"{wanted.split('|')[0]} {version}" for wanted, version in versions.items() if version)
    if missing:
        found = f"missing: {', '.join(missing)}"
    ok = None if EXTRAS[name][0] in missing else not missing
    return Check(f"extra [{name}]", ok, found, f"pip install 'dermport[{name}]'")


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


def _runtimes(*, on_jetson: bool) -> Iterator[Check]:
    """Yield what can serve here, best first; only on a Jetson is TensorRT missed."""
    from dermport.runtimes.registry import SERVING

    for runtime in SERVING:
        lacks = runtime.unavailable()
        ok = not lacks or (False if on_jetson else None)
        remedy = "Make the virtual environment with --system-site-packages." if runtime.gpu else ""
        yield Check(f"runtime {runtime.title}", ok, lacks or "can serve", remedy)


def _targets() -> list[Check]:
    from dermport.exporters.registry import TARGETS

    return [
        Check(f"target {name}", not target.unavailable(), target.unavailable() or target.runs_here())
        for name, target in TARGETS.items()
    ]


def _print_table(checks: list[Check]) -> None:
    from rich.markup import escape

    table = new_table("check", "", "found", "remedy")
    for check in checks:
        if check.ok is not None:
            mark = "[green]ok[/]" if check.ok else "[yellow]no[/]"
            table.add_row(escape(check.name), mark, escape(check.found), "" if check.ok else escape(check.remedy))
    console().print(table)
    if absent := [check for check in checks if check.ok is None]:
        say("Not here, and missed only where its commands are wanted:")
        for check in absent:
            words = check.remedy if check.name.startswith("extra") else check.found
            say(f"  {escape(check.name)}: {escape(words)}")
