"""The same photos in the browser and on the server: are the model's inputs equal, and the answers of the same file?

    npm --prefix dermport/mobile_stub/web ci && node dermport/mobile_stub/web/build.mjs
    python -m benchmarks.web.parity --bundle artifacts/ham7 --photos photos/ --ham ham10000 --json parity.json

Real photos come from the folders that are named; from three of them every kind of file is made (EXIF orientations, P3,
CMYK, progressive, ...; see kinds.py). Photos of 12 and 48 megapixels are drawn, and without a folder all others too.
The browser's probabilities are held against LiteRT in Python on the same .tflite file. Exit code 1: something differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from benchmarks.web.browser import BrowserPhone, chromium
from benchmarks.web.kinds import Kind, jpeg, kinds, png
from dermport.bundle.atomic import write_json
from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle
from dermport.bundle.vectors.draw import picture
from dermport.errors import DermportError, PhotoError
from dermport.runtimes.litert import LiteRT

WEB = Path("dermport/mobile_stub/web/dist")
BASES = 3
LARGE = {"12 megapixels": (4000, 3000), "12 megapixels, portrait": (3000, 4000), "48 megapixels": (8000, 6000)}
EXACT = {"fp32": 1e-5}
"""The largest change of a probability between browser and Python that counts as equal, where there is such a bound."""


@dataclass
class GroupTally:
    """How the photos of one group fared.

    Attributes:
        photos: How many.
        equal: Those with the same input on both sides.
        refused: Those that both refuse.
        differ: Names and reasons of all others.
        unmarked: Those of `differ` that the browser called exact: there must be none.
        seconds: The slowest preparation in the browser.
    """

    photos: int = 0
    equal: int = 0
    refused: int = 0
    differ: list[str] = field(default_factory=list)
    unmarked: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class Change:
    """How far the browser's probabilities are from Python's."""

    photos: int = 0
    largest: float = 0.0
    same_label: int = 0


class BrowserComparison:
    """Asks both sides about photos and keeps count.

    Args:
        browser: The web app's engine.
        server: Its address.
        bundle: What it serves.
        runtimes: LiteRT in Python, by precision.
    """

    def __init__(self, browser: BrowserPhone, server: str, bundle: Bundle, runtimes: dict[str, LiteRT]) -> None:
        self._browser = browser
        self._server = server
        self._bundle = bundle
        self._runtimes = runtimes
        self.groups: dict[str, GroupTally] = {}
        self.changes = {precision: Change() for precision in runtimes}
        self.hints: dict[str, Counter[str]] = {}

    def look_at(self, kind: Kind) -> None:
        """Ask about one photo."""
        tally = self.groups.setdefault(kind.group, GroupTally())
        tally.photos += 1
        here, there = self._browser.look_at(kind.data), self._ask_server(kind.data)
        if "refused" in here or "refused" in there:
            self._count_refused(tally, kind, here, there)
            return
        tally.seconds = max(tally.seconds, here["milliseconds"] / 1000)
        self.hints.setdefault(kind.group, Counter()).update(hint["code"] for hint in here["quality"])
        if here["inputSha256"] == there["input_sha256"]:
            tally.equal += 1
        else:
            tally.differ.append(f"{kind.name}: other inputs ({here['kind']})")
            tally.unmarked += [kind.name] if here["exact"] else []
        self._count_changes(kind, here)

    def _ask_server(self, data: bytes) -> dict[str, Any]:
        media = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
        answer = httpx.post(f"{self._server}/v1/predict", content=data, headers={"Content-Type": media}, timeout=60)
        said: dict[str, Any] = answer.json()
        return said if answer.is_success else {"refused": said["code"]}

    def _count_refused(self, tally: GroupTally, kind: Kind, here: dict[str, Any], there: dict[str, Any]) -> None:
        if "refused" in here and "refused" in there:
            tally.refused += 1
        else:
            tally.differ.append(
                f"{kind.name}: browser {here.get('refused', 'takes it')}, server {there.get('refused', 'takes it')}"
            )

    def _count_changes(self, kind: Kind, here: dict[str, Any]) -> None:
        try:
            made = prepare(kind.data, self._bundle.manifest.preprocessing)
        except PhotoError:
            return
        if made.input_sha256 != here["inputSha256"]:
            return
        for precision, runtime in self._runtimes.items():
            [expected] = runtime.predict(made.tensor[None])
            answered = np.asarray(here["probabilities"][precision], np.float32)
            change = self.changes[precision]
            change.photos += 1
            change.largest = max(change.largest, float(np.abs(answered - expected).max()))
            change.same_label += int(answered.argmax() == expected.argmax())

    @property
    def passed(self) -> bool:
        """Whether nothing differs."""
        precise = all(change.largest <= EXACT.get(name, 1.0) for name, change in self.changes.items())
        labels = all(change.same_label == change.photos for change in self.changes.values())
        return precise and labels and not any(tally.differ for tally in self.groups.values())


def photos_of(options: argparse.Namespace) -> Iterator[Kind]:
    """Yield every photo that is asked about, one at a time: large ones take memory."""
    real = [path for folder in options.photos for path in sorted(folder.rglob("*")) if _is_photo(path)]
    ham = sorted(path for path in options.ham.rglob("*.jpg")) if options.ham else []
    chosen = [ham[index] for index in np.random.default_rng(options.seed).permutation(len(ham))[: options.count]]
    for group, paths in (("photos", real), ("ham", chosen)):
        for path in paths:
            yield Kind(group, path.name, path.read_bytes())
    for base in _bases([*real, *chosen]):
        yield from kinds(base)
    if not options.small:
        yield from _large()


def _bases(paths: Sequence[Path]) -> Iterator[Image.Image]:
    small = [path for path in paths if path.stat().st_size < 1_000_000][:BASES]
    for path in small:
        with Image.open(path) as image:
            yield image.convert("RGB")
    for index in range(BASES - len(small)):
        yield picture(301 + 150 * index, 199 + 88 * index)


def _large() -> Iterator[Kind]:
    for name, size in LARGE.items():
        exif = Image.Exif()
        exif[274] = 6 if "portrait" in name else 1
        yield Kind("large", name, jpeg(picture(*size), exif=exif))
    yield Kind("large", "12 megapixels, PNG", png(picture(4000, 3000), compress_level=1))
    yield Kind("large", "65 megapixels are refused", jpeg(Image.new("L", (8192, 8000))))


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in (".jpg", ".jpeg", ".png")


@contextmanager
def serving(bundle: Path, web: Path) -> Iterator[str]:
    """Serve a bundle with the web app on a free port; yield the address."""
    start = (sys.executable, "-m", "dermport", "serve", str(bundle), "--port", "0", "--json")
    with tempfile.TemporaryDirectory() as state:
        command = (*start, "--state", state, "--web", str(web), "--workers", "1")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout
            try:
                yield str(json.loads(process.stdout.readline())["url"])
            finally:
                process.terminate()


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Ask about every photo; return the figures."""
    bundle = Bundle.open(options.bundle)
    with ExitStack() as opened:
        url = opened.enter_context(serving(options.bundle, options.web))
        browser = BrowserPhone.on(opened.enter_context(chromium()), url, options.precisions)
        models = {name: bundle.path / "exports" / f"tflite-{name}" / "model.tflite" for name in options.precisions}
        runtimes = {name: opened.enter_context(LiteRT(path)) for name, path in models.items()}
        judge = BrowserComparison(browser, url, bundle, runtimes)
        began = time.monotonic()
        for kind in photos_of(options):
            judge.look_at(kind)
        return {
            "model": f"{bundle.manifest.name} {bundle.manifest.version}",
            "browser": browser.name,
            "passed": judge.passed,
            "seconds": round(time.monotonic() - began, 1),
            "groups": {name: vars(tally) for name, tally in judge.groups.items()},
            "changes": {name: vars(change) for name, change in judge.changes.items()},
            "hints": {name: dict(counter) for name, counter in judge.hints.items()},
            "runtimes": browser.loaded,
        }


def table(figures: dict[str, Any]) -> str:
    """Return the figures for people."""
    lines = [f"{figures['model']}, {figures['browser']}", ""]
    lines.append(f"{'photos':<12}{'all':>6}{'equal':>7}{'refused':>9}{'differ':>8}{'unmarked':>10}{'slowest s':>11}")
    for name, group in figures["groups"].items():
        counts = f"{group['photos']:>6}{group['equal']:>7}{group['refused']:>9}{len(group['differ']):>8}"
        lines.append(f"{name:<12}{counts}{len(group['unmarked']):>10}{group['seconds']:>11.2f}")
        lines += [f"    {reason}" for reason in group["differ"]]
    lines += ["", f"{'precision':<12}{'photos':>6}{'max |Δp|':>12}{'same label':>12}"]
    for name, change in figures["changes"].items():
        lines.append(f"{name:<12}{change['photos']:>6}{change['largest']:>12.2g}{change['same_label']:>12}")
    return "\n".join(lines)


def main() -> None:
    """Run what the command line names."""
    options = _parser().parse_args()
    try:
        figures = run(options)
    except DermportError as error:
        sys.exit(f"benchmarks.web.parity: {error}")
    if options.json:
        write_json(options.json, figures)
    sys.stdout.write(f"{table(figures)}\n")
    sys.exit(0 if figures["passed"] else 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.web.parity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, default=Path("artifacts/ham7"), help="a bundle with tflite exports")
    parser.add_argument("--web", type=Path, default=WEB, help="the built web app")
    parser.add_argument("--photos", type=Path, action="append", default=[], metavar="FOLDER", help="may be repeated")
    parser.add_argument("--ham", type=Path, metavar="FOLDER", help="HAM10000, of which --count photos are drawn")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="leave the photos of 12 megapixels and more out")
    parser.add_argument("--precisions", nargs="+", default=["fp32", "fp16", "int8"], metavar="PRECISION")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    return parser


if __name__ == "__main__":
    main()
