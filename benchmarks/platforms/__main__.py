"""Does the server answer elsewhere: from its wheel with [server] alone, on other Pythons and on aarch64?

    python -m benchmarks.platforms --bundle artifacts/ham7 --python python3.10 --python python3.13
    python -m benchmarks.platforms --bundle artifacts/ham7 --python python3.10 --aarch64 --json platforms.json

The wheel is built from the last commit. In each environment `dermport serve` must become ready (its own proof), answer
every golden photo over one connection that is kept open, and stop when told. Changes of probabilities are held against
the first environment's. --aarch64 emulates Debian's Python with qemu-user (Debian's package of that name; nothing else
is installed on the machine): a photo then takes a second instead of milliseconds. Exit code 1: something failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.platforms.emulated import emulated_python
from benchmarks.platforms.environments import Environment, Wheel, committed_wheel, install, native_python
from benchmarks.platforms.trial import ServerTrial, Setting, try_server
from benchmarks.tables import say, show, show_failures
from dermport.bundle.atomic import write_json
from dermport.bundle.store import Bundle
from dermport.errors import DermportError, UnavailableError

SETTINGS = [
    Setting("onnxruntime", "fp32"),
    Setting("onnxruntime", "int8-cpu"),
    Setting("litert", "fp32"),
    Setting("litert", "int8"),
]
_COLUMNS = (
    "environment",
    "runtime",
    "ready s",
    "proof |Δp|",
    "inputs equal",
    "|Δp| to the first",
    "end",
)


def main() -> None:
    """Try what the command line names."""
    options = _parser().parse_args()
    try:
        sys.exit(not run(options))
    except DermportError as error:
        sys.exit(f"benchmarks.platforms: {error}")


def run(options: argparse.Namespace) -> bool:
    """Try the servers in every environment, print what was seen, and return whether all is well."""
    bundle = Bundle.open(options.bundle)
    seen: list[ServerTrial] = []
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="dermport-platforms-") as folder:
        wheel = committed_wheel(Path(folder))
        environments = list(_environments(options, wheel, Path(folder), failures))
        for environment in environments:
            _try_settings(environment, bundle, seen, failures)
    show(f"The wheel of {wheel.commit} with [server] alone", _COLUMNS, _rows(seen))
    show_failures(failures)
    if options.json:
        packages = {environment.name: environment.packages for environment in environments}
        write_json(options.json, {"commit": wheel.commit, "packages": packages, "seen": [asdict(one) for one in seen]})
    return not failures and all(one.is_sound for one in seen)


def _environments(
    options: argparse.Namespace, wheel: Wheel, folder: Path, failures: dict[str, str]
) -> Iterator[Environment]:
    made: dict[str, Callable[[], Path]] = {
        python: partial(native_python, folder / f"native-{number}", python)
        for number, python in enumerate(options.python)
    }
    if options.aarch64:
        made["aarch64"] = partial(emulated_python, folder / "aarch64")
    for name, make in made.items():
        say(f"{name}: installing")
        try:
            environment = install(make(), wheel)
        except UnavailableError as error:
            failures[name] = error.message
            continue
        if environment.unwanted:
            failures[environment.name] = f"[server] brought {', '.join(environment.unwanted)}"
        yield environment


def _try_settings(environment: Environment, bundle: Bundle, seen: list[ServerTrial], failures: dict[str, str]) -> None:
    for setting in SETTINGS:
        say(f"{environment.name}: {setting.runtime} {setting.precision}")
        try:
            seen.append(try_server(environment, bundle, setting))
        except DermportError as error:
            failures[f"{environment.name}, {setting.runtime} {setting.precision}"] = error.message


def _rows(seen: Sequence[ServerTrial]) -> list[tuple[str, ...]]:
    return [
        (
            one.environment,
            f"{one.runtime}, {one.setting.precision}",
            f"{one.seconds:.1f}",
            f"{one.proved:.1e}",
            f"{one.inputs} of {len(one.answers)}",
            f"{_change(one, seen):.1e}",
            str(one.status),
        )
        for one in seen
    ]


def _change(one: ServerTrial, seen: Sequence[ServerTrial]) -> float:
    """Return the largest change of a probability to the first environment's answers of the same setting."""
    same = (other for other in seen if other.setting == one.setting)
    pairs = zip(one.answers, next(same).answers, strict=True)
    return max(abs(here - there) for row, others in pairs for here, there in zip(row, others, strict=True))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.platforms", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, required=True, help="a bundle exported to onnx and tflite")
    parser.add_argument("--python", action="append", default=[], help="a Python to try; may be repeated")
    parser.add_argument("--aarch64", action="store_true", help="and Debian's Python for aarch64, emulated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all that was seen")
    return parser


if __name__ == "__main__":
    main()
