"""The whole way in one go, by the commands that a person would type: draw, train, export, prove, package, serve."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from dermport.errors import DermportError, Parameters, ServerError, UsageError
from dermport.progress import SILENT, Progress

BUNDLE = "bundle"
DRAWN_PHOTOS = 700
PHONE_PHOTOS = 40
_SERVER_SECONDS = 120


@dataclass(frozen=True)
class DemoStep:
    """One command that was run: what for, its words, its seconds and its JSON document."""

    title: str
    command: tuple[str, ...]
    seconds: float
    document: dict[str, Any] = field(repr=False)

    @property
    def line(self) -> str:
        """The command as a person would type it."""
        return "dermport " + shlex.join(self.command)


@dataclass(frozen=True)
class Demo:
    """Everything that the report shows.

    Attributes:
        folder: Where all of it is.
        steps: The commands, in order.
        answer: The server's answer to one photo.
        comparisons: Phone precision to the comparison's document.
    """

    folder: Path
    steps: tuple[DemoStep, ...]
    answer: dict[str, Any]
    comparisons: dict[str, dict[str, Any]]

    @property
    def bundle(self) -> Path:
        """The bundle that the demo trained."""
        return self.folder / BUNDLE


def run_demo(
    out: Path,
    *,
    data: Path | None = None,
    weights: Path | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Demo:
    """Go the whole way and write ``report.html``; every step is a command of its own process.

    Args:
        out: Where everything goes; an earlier demo there is replaced.
        data: Real photos; None draws some.
        weights: ImageNet weights of MobileNetV2 without its top; None trains a small network from scratch.
        seed: Of everything random.
        progress: What a person sees.

    Raises:
        UsageError: `out` holds other things than a demo.
        DermportError: A step failed; what it said is on stderr.
    """
    from dermport.workflows.demo_report import write_report

    started = perf_counter()
    _make_room(out)
    demo = _run(out, data, weights, seed, progress)
    write_report(demo, perf_counter() - started)
    return demo


def _make_room(out: Path) -> None:
    """Remove an earlier demo, and nothing else."""
    if out.exists() and any(out.iterdir()) and not (out / ".dermport-demo").exists():
        raise UsageError(f"{out} holds other things than a demo.", remedy="Choose another {out}.", of=Parameters)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / ".dermport-demo").touch()


def _run(out: Path, data: Path | None, weights: Path | None, seed: int, progress: Progress) -> Demo:
    from dermport.exporters.packages.platforms import PLATFORMS

    bundle = out / BUNDLE
    photos = data or out / "photos"
    steps: list[DemoStep] = []

    def step(title: str, *command: str) -> None:
        steps.append(_step(title, command, progress))

    if data is None:
        drawing = ("sample-data", "--out", str(photos), "--photos", str(DRAWN_PHOTOS), "--seed", str(seed))
        step("Draw a sample data set", *drawing)
    step("Train", *_training(photos, bundle, data, weights, seed))
    step("Export every target and precision", "export", str(bundle))
    step("Prove every artifact on the test part", "verify", str(bundle), "--data", str(photos))
    for platform in PLATFORMS:
        package = ("package", str(bundle), "--for", platform, "--out", str(out / "packages"))
        step(f"Package for {platform}", *package)
    chosen = [str(path) for path in _test_photos(bundle, photos, progress)]
    with _serving(bundle, progress) as url:
        answer = _ask(url, Path(chosen[0]))
        for precision in ("fp32", "int8"):
            comparing = ("compare", str(bundle), "--server", url, "--phone-precision", precision, "--thumbnails")
            html = ("--out", str(out / f"comparison-{precision}.html"))
            step(f"Compare phone ({precision}) and server", *comparing, *html, *chosen)
    comparisons = dict(zip(("fp32", "int8"), (step.document for step in steps[-2:]), strict=True))
    return Demo(out, tuple(steps), answer, comparisons)


def _training(photos: Path, bundle: Path, data: Path | None, weights: Path | None, seed: int) -> tuple[str, ...]:
    """A network small enough for minutes on two cores; with ImageNet weights, the published recipe."""
    common = ("train", "--data", str(photos), "--out", str(bundle), "--seed", str(seed))
    if weights is not None:
        return (*common, "--weights", str(weights), "--input-size", "160")
    small = ("--weights", "none", "--alpha", "0.35", "--input-size", "96", "--fine-tune", "all")
    return (*common, *small, "--fine-tune-epochs", "12" if data else "50")


def _step(title: str, command: tuple[str, ...], progress: Progress) -> DemoStep:
    """Run one command of ours as its own process; its progress goes to the terminal, its document to us.

    Raises:
        DermportError: It failed; what it said stands above.
    """
    progress.say(f"\n{title}\n  dermport {shlex.join(command)[:300]}")
    started = perf_counter()
    done = subprocess.run(_argv(*command, "--json"), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        _stop(title, command, done.returncode)
    return DemoStep(title, command, perf_counter() - started, json.loads(done.stdout))


def _stop(title: str, command: tuple[str, ...], code: int) -> None:
    raise DermportError(
        f"{title}: `dermport {command[0]}` ended with exit code {code}.", remedy="See what it said above."
    )


def _argv(*command: str) -> list[str]:
    return [sys.executable, "-m", "dermport", *command]


def _test_photos(bundle: Path, data: Path, progress: Progress) -> list[Path]:
    """Return photos of the bundle's test part, spread over it."""
    from dermport.bundle.store import Bundle
    from dermport.workflows.photos import read_photos

    paths = read_photos(Bundle.open(bundle), data, "test", progress=progress).paths
    return list(paths[:: max(1, len(paths) // PHONE_PHOTOS)])[:PHONE_PHOTOS]


@contextlib.contextmanager
def _serving(bundle: Path, progress: Progress) -> Iterator[str]:
    """Serve the bundle on a free loopback port; yield the URL; stop the server as systemd would."""
    progress.say(f"\nServe\n  dermport serve {bundle} --port 0")
    with subprocess.Popen(
        _argv("serve", str(bundle), "--port", "0", "--json"), stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            if not line:
                raise ServerError("The server did not start.", remedy="See what it said above.")
            yield json.loads(line)["url"]
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(_SERVER_SECONDS)


def _ask(url: str, photo: Path) -> dict[str, Any]:
    from dermport.mobile_stub.client import JetsonClient

    with JetsonClient(url) as client:
        return client.predict(photo.read_bytes()).model_dump(mode="json")
