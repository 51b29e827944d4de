"""Commands × faults of disk and input: ``python -m tests.cli.faults FOLDER`` prints what each says, as Markdown.

FOLDER holds ``bundle`` (with exports) and ``photos``; each case works on links or copies of its own. Run by root, the
commands run as "nobody", to whom permissions mean something, and a real small disk is filled.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.server.small_disk import small_disk

NOBODY = 65534
FULL = "full"

# BAD stands for what the fault is put on; the other words for sound inputs and a place to write.
READS = {
    "data": ["data", "BAD"],
    "train": ["train", "--data", "BAD", "--out", "OUT"],
    "cross-validate": ["cross-validate", "--data", "BAD", "--out", "OUT"],
    "reproduce": ["reproduce", "digiscope", "--data", "BAD", "--out", "OUT"],
    "runs": ["runs", "BAD"],
    "evaluate": ["evaluate", "BAD"],
    "evaluate --data": ["evaluate", "BUNDLE", "--data", "BAD"],
    "robustness": ["robustness", "BAD", "--data", "PHOTOS", "--out", "OUT"],
    "calibrate-abstention": ["calibrate-abstention", "BAD", "--data", "PHOTOS", "--out", "OUT"],
    "compress": ["compress", "BAD", "--recipe", "channels-50", "--data", "PHOTOS", "--out", "OUT"],
    "search": ["search", "BAD", "--data", "PHOTOS", "--out", "OUT"],
    "export": ["export", "BAD", "--to", "onnx", "--precision", "fp32", "--force"],
    "build-engine": ["build-engine", "BAD"],
    "verify": ["verify", "BAD", "--to", "tflite", "--precision", "fp32"],
    "verify --data": ["verify", "BUNDLE", "--data", "BAD"],
    "verify --policy": ["verify", "BUNDLE", "--policy", "BAD"],
    "explain": ["explain", "BAD", "PHOTO", "--out", "OUT"],
    "explain PHOTO": ["explain", "BUNDLE", "BAD", "--out", "OUT"],
    "benchmark": ["benchmark", "BAD", "--out", "OUT"],
    "package": ["package", "BAD", "--for", "android", "--out", "OUT"],
    "compare": ["compare", "BAD", "PHOTO", "--server", "http://127.0.0.1:9"],
    "compare PHOTO": ["compare", "BUNDLE", "BAD", "--server", "http://127.0.0.1:9"],
    "serve": ["serve", "BAD", "--port", "0", "--state", "OUT"],
    "models undo": ["models", "undo", "BAD"],
    "models fetch --public-key": ["models", "fetch", "OUT", "--server", "http://127.0.0.1:9", "--public-key", "BAD"],
}
WRITES = {
    "sample-data": ["sample-data", "--photos", "14", "--out", "BAD"],
    "data": ["data", "PHOTOS", "--out", "BAD"],
    "train": ["train", "--data", "PHOTOS", "--out", "BAD"],
    "cross-validate": ["cross-validate", "--data", "PHOTOS", "--out", "BAD"],
    "reproduce": ["reproduce", "digiscope", "--data", "PHOTOS", "--out", "BAD"],
    "evaluate": ["evaluate", "BUNDLE", "--data", "PHOTOS", "--part", "all", "--out", "BAD"],
    "robustness": ["robustness", "BUNDLE", "--data", "PHOTOS", "--out", "BAD"],
    "calibrate-abstention": ["calibrate-abstention", "BUNDLE", "--data", "PHOTOS", "--out", "BAD"],
    "compress": ["compress", "BUNDLE", "--recipe", "channels-50", "--data", "PHOTOS", "--out", "BAD"],
    "search": ["search", "BUNDLE", "--data", "PHOTOS", "--out", "BAD"],
    "explain": ["explain", "BUNDLE", "PHOTO", "--out", "BAD"],
    "benchmark": ["benchmark", "BUNDLE", "--out", "BAD"],
    "package": ["package", "BUNDLE", "--for", "android", "--out", "BAD"],
    "demo": ["demo", "--out", "BAD"],
    "keys create": ["keys", "create", "phone", "--state", "BAD"],
    "serve": ["serve", "BUNDLE", "--port", "0", "--state", "BAD"],
}


@dataclass(frozen=True)
class Said:
    """What a command did about a fault."""

    command: str
    fault: str
    code: int
    stderr: str

    @property
    def plain(self) -> bool:
        return "Traceback" not in self.stderr and self.code in (0, 2)

    @property
    def line(self) -> str:
        """The error's line, or what is in typer's box."""
        lines = self.stderr.splitlines()
        found = [line.removeprefix("dermport: ") for line in lines if line.startswith("dermport: ")][-1:]
        return " ".join(found or [line.strip("│ ") for line in lines if line.startswith("│ ")])


def _missing(place: Path, good: Path) -> None:
    pass


def _empty(place: Path, good: Path) -> None:
    place.mkdir() if good.is_dir() else place.touch()


def _other_type(place: Path, good: Path) -> None:
    place.write_bytes(b"\x00\xff nothing that is known") if good.is_dir() else place.mkdir()


def _unreadable(place: Path, good: Path) -> None:
    _sound(place, good)
    place.chmod(0)


def _of_another_user(place: Path, good: Path) -> None:
    """Put a folder that opens, whose files do not."""
    _sound(place, good)
    for path in (place, *place.rglob("*")):
        if path.is_file():
            path.chmod(0)


def _sound(place: Path, good: Path) -> None:
    shutil.copytree(good, place, symlinks=True) if good.is_dir() else shutil.copy(good, place)


def _read_only(place: Path, good: Path) -> None:
    _sound(place, good)
    for path in (place, *place.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


Fault = Callable[[Path, Path], None]
ON_INPUT: dict[str, Fault] = {
    "missing": _missing,
    "empty": _empty,
    "of another type": _other_type,
    "unreadable": _unreadable,
    "of another user": _of_another_user,
}
ON_OUTPUT = ("--out below a file", "--out read-only", "--out on a full disk", "--out of a name too long")
# Commands that only read do their work on what they cannot write to; names of any bytes are names.
HARMLESS = {
    "read-only": ("data", "runs", "verify"),
    "not UTF-8": ("data", "runs", "verify", "explain PHOTO"),
    "empty": ("runs",),
    "of another user": ("runs",),
}
# A build or an export writes into the bundle itself.
REFUSED = {"read-only": ("export",)}


class Cases:
    """Every command on every fault, one after the other in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._good = {
            "BUNDLE": folder / "bundle",
            "PHOTOS": folder / "photos",
            "PHOTO": next((folder / "photos").rglob("*.jpg")),
            "POLICY": folder / "policy.toml",
        }
        self._number = 0

    def all(self) -> Iterator[Said]:
        for fault, put in ON_INPUT.items():
            for command, words in READS.items():
                yield self._on_input(command, words, fault, put)
        for fault, put in (("read-only", _read_only), ("not UTF-8", _sound)):
            for command in (*HARMLESS[fault], *REFUSED.get(fault, ())):
                yield self._on_input(command, READS[command], fault, put)
        for fault in ON_OUTPUT:
            for command, words in WRITES.items():
                yield self._on_output(command, words, fault)

    def _on_input(self, command: str, words: list[str], fault: str, put: Fault) -> Said:
        place = self._new("bad") if fault != "not UTF-8" else Path(os.fsdecode(bytes(self._new("l")) + b"\xe4sion"))
        put(place, self._good[_kind(command, words)])
        return self._said(command, fault, words, place)

    def _on_output(self, command: str, words: list[str], fault: str) -> Said:
        place = self._new("out")
        if fault == ON_OUTPUT[0]:
            place.touch()
            place /= "below"
        elif fault == ON_OUTPUT[1]:
            place.mkdir(mode=0o555)
            place /= "below"
        elif fault == ON_OUTPUT[2]:
            place = self._folder / FULL / place.name
        else:
            place = place.with_name("n" * 300)
        return self._said(command, fault, words, place)

    def _said(self, command: str, fault: str, words: list[str], place: Path) -> Said:
        known = {name: str(path) for name, path in self._good.items()} | {"BAD": str(place), "OUT": str(self._new("o"))}
        code, stderr = run([known.get(word, word) for word in words])
        return Said(command, fault, code, stderr)

    def _new(self, stem: str) -> Path:
        self._number += 1
        return self._folder / "cases" / f"{self._number}-{stem}"


def _kind(command: str, words: list[str]) -> str:
    if command in ("data", "train", "cross-validate", "reproduce") or command.endswith("--data"):
        return "PHOTOS"
    return {"PHOTO": "PHOTO", "--policy": "POLICY"}.get(command.rpartition(" ")[2], "BUNDLE")


def run(words: list[str]) -> tuple[int, str]:
    """Run a command in this process; return its exit code and what it wrote to stderr."""
    from dermport.cli.main import main

    said = io.StringIO()
    before, sys.argv = sys.argv, ["dermport", *words]
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException as error:
        code = 1
        said.write(f"Traceback: {type(error).__name__}: {error}")
    finally:
        sys.argv = before
    return code, said.getvalue()


def table(folder: Path) -> list[Said]:
    """Run every case, as "nobody" where this is root; `folder` is as the module says."""
    with small_disk(folder / FULL, 0.0625):
        return _table(folder)


def _table(folder: Path) -> list[Said]:
    (folder / "cases").mkdir(exist_ok=True)
    (folder / "policy.toml").touch()
    for path in (folder, *folder.rglob("*")) if os.geteuid() == 0 else ():
        os.chown(path, NOBODY, NOBODY)
    command = [*unprivileged(), sys.executable, "-m", "tests.cli.faults", str(folder), "--json"]
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True, text=True)
    return [Said(**one) for one in json.loads(done.stdout)]


def unprivileged() -> list[str]:
    """Return what a command is begun with so that permissions mean something to it."""
    if os.geteuid():
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def markdown(said: list[Said]) -> str:
    """Return the outcomes as a table."""
    rows = [f"| `{one.command}` | {one.fault} | {one.code} | {one.line or '–'} |" for one in said]
    return "\n".join(["| command | fault | exit | it says |", "| --- | --- | --- | --- |", *rows])


if __name__ == "__main__":
    found = list(Cases(Path(sys.argv[1])).all()) if "--json" in sys.argv else table(Path(sys.argv[1]))
    sys.stdout.write(json.dumps([asdict(one) for one in found]) if "--json" in sys.argv else markdown(found) + "\n")
