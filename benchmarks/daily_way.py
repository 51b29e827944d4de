"""What the daily way costs in processor time: a whole export, the same export again, and `verify --data`.

    python -m benchmarks.daily_way artifacts/ham7 --data ham10000 --part test --against ../older-checkout

Each round takes a copy of the bundle without its exports and gives the three commands, by this checkout and by the
other one in turn; a figure is the median of user and system seconds of a command with all its processes, so that other
work on the machine moves it little. With --against the artifacts' files are compared byte by byte, and the proofs'
figures by how far they are apart.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.tables import say, show
from dermport.bundle.hashing import sha256_file

HERE = Path(__file__).parents[1]
WAYS = ("export", "export again", "verify --data")
_FIGURES = ("max_change", "mean_change", "top1_agreement")


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", default="test")
    parser.add_argument("--against", type=Path, help="another checkout of dermport, before")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    checkouts = [HERE, *([asked.against.absolute()] if asked.against else [])]
    seconds: dict[tuple[str, Path], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.rounds):
            for checkout in checkouts:
                say(f"Round {number + 1} of {asked.rounds}: {checkout}")
                bundle = _copy(asked.bundle, Path(folder) / str(checkouts.index(checkout)))
                verify = ["verify", str(bundle), "--data", str(asked.data.absolute()), "--part", asked.part]
                for way, command in zip(WAYS, (["export", str(bundle)], ["export", str(bundle)], verify), strict=True):
                    seconds[way, checkout].append(_processor_seconds(checkout, command))
        if asked.against:
            _compare(*(Path(folder) / str(place) for place in range(2)))
    _print(seconds, checkouts)


def _copy(bundle: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(bundle, to, ignore=shutil.ignore_patterns("exports"))
    return to


def _processor_seconds(checkout: Path, command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    asked = [sys.executable, "-m", "dermport", *command]
    done = subprocess.run(
        asked,
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode > 1:  # 1: an artifact failed its proof
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _compare(now: Path, before: Path) -> None:
    """Say whether two exports are byte-equal, and how far their proofs' figures are apart."""
    files = [_files(bundle) for bundle in (now, before)]
    differ = sorted(name for name in {*files[0], *files[1]} if files[0].get(name) != files[1].get(name))
    say(f"{len(files[0])} files of artifacts, {len(differ)} of them differ: {', '.join(differ) or 'all byte-equal'}")
    proofs = [_proofs(bundle) for bundle in (now, before)]
    for figure in _FIGURES:
        apart = max(abs(proof[figure] - proofs[1][name][figure]) for name, proof in proofs[0].items())
        say(f"{figure}: at most {apart:.2g} apart")


def _files(bundle: Path) -> dict[str, str]:
    found = (path for path in (bundle / "exports").rglob("*") if path.is_file() and path.name != "export.json")
    return {path.relative_to(bundle).as_posix(): sha256_file(path) for path in found}


def _proofs(bundle: Path) -> dict[str, dict[str, Any]]:
    records = (bundle / "exports").glob("*/export.json")
    return {path.parent.name: json.loads(path.read_text())["parity"] for path in records}


def _print(seconds: dict[tuple[str, Path], list[float]], checkouts: list[Path]) -> None:
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    rows = []
    for way in WAYS:
        cells = [f"{medians[way, checkout]:.1f}" for checkout in reversed(checkouts)]
        ratio = [f"{medians[way, checkouts[0]] / medians[way, checkouts[1]]:.2f}"] if len(checkouts) > 1 else []
        rows.append([way, *cells, *ratio])
    columns = ["s of processor time", *(["before"] if len(checkouts) > 1 else []), "now"]
    show("Medians", [*columns, *(["ratio"] if len(checkouts) > 1 else [])], rows)


if __name__ == "__main__":
    main()
