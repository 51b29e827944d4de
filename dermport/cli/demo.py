"""``dermport demo``: the whole way in one go, by the commands that a person would type."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from dermport.cli import output
from dermport.cli.demo_record import BUNDLE, Demo, Step
from dermport.cli.output import say

DRAWN_PHOTOS = 700
PHONE_PHOTOS = 40
_SERVER_SECONDS = 120
_PLATFORMS = ("ios", "android", "web", "jetson")


def demo(
    out: Annotated[Path, typer.Option("--out", help="Where to write; an earlier demo there is replaced.")] = Path(
        "artifacts/demo"
    ),
    data: Annotated[
        Path | None, typer.Option("--data", help="Real photos, as for `dermport train`. Default: drawn ones.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="ImageNet weights of MobileNetV2 without its top (.weights.h5).")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 0,
) -> None:
    """Draw photos, train, export every target, prove, package, serve, compare; write report.html."""
    from dermport.cli.demo_report import print_summary, write_report

    started = time.perf_counter()
    _make_room(out)
    result = _run(out, data, weights, seed)
    report = write_report(result, time.perf_counter() - started)
    print_summary(result)
    say(f"Done in {time.perf_counter() - started:.0f} s. Open [bold]{report}[/bold].")


def _make_room(out: Path) -> None:
    """Remove an earlier demo, and nothing else."""
    from dermport.errors import UsageError

    if out.exists() and any(out.iterdir()) and not (out / ".dermport-demo").exists():
        raise UsageError(f"{out} holds other things than a demo.", remedy="Choose another --out.")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / ".dermport-demo").touch()


def _run(out: Path, data: Path | None, weights: Path | None, seed: int) -> Demo:
    bundle = out / BUNDLE
    photos = data or out / "photos"
    steps = []
    if data is None:
        drawing = ("sample-data", "--out", str(photos), "--photos", str(DRAWN_PHOTOS), "--seed", str(seed))
        steps.append(_step("Draw a sample data set", *drawing))
    steps.append(_step("Train", *_training(photos, bundle, data, weights, seed)))
    steps.append(_step("Export every target and precision", "export", str(bundle)))
    steps.append(_step("Prove every artifact on the test part", "verify", str(bundle), "--data", str(photos)))
    for platform in _PLATFORMS:
        package = ("package", str(bundle), "--for", platform, "--out", str(out / "packages"))
        steps.append(_step(f"Package for {platform}", *package))
    chosen = [str(path) for path in _test_photos(bundle, photos)]
    with _serving(bundle) as url:
        answer = _ask(url, Path(chosen[0]))
        for precision in ("fp32", "int8"):
            comparing = ("compare", str(bundle), "--server", url, "--phone-precision", precision, "--thumbnails")
            html = ("--out", str(out / f"comparison-{precision}.html"))
            steps.append(_step(f"Compare phone ({precision}) and server", *comparing, *html, *chosen))
    comparisons = dict(zip(("fp32", "int8"), (step.document for step in steps[-2:]), strict=True))
    return Demo(out, tuple(steps), answer, comparisons)


def _training(photos: Path, bundle: Path, data: Path | None, weights: Path | None, seed: int) -> tuple[str, ...]:
    """A network small enough for minutes on two cores; with ImageNet weights, the published recipe."""
    common = ("train", "--data", str(photos), "--out", str(bundle), "--seed", str(seed))
    if weights is not None:
        return (*common, "--weights", str(weights), "--input-size", "160")
    small = ("--weights", "none", "--alpha", "0.35", "--input-size", "96", "--fine-tune", "all")
    return (*common, *small, "--fine-tune-epochs", "12" if data else "50")


def _step(title: str, *command: str) -> Step:
    """Run one command of ours as its own process; its progress goes to the terminal, its document to us.

    Raises:
        DermportError: It failed; what it said stands above.
    """
    say(f"\n[bold]{title}[/bold]\n  dermport {shlex.join(command)[:300]}")
    started = time.perf_counter()
    done = subprocess.run(_argv(*command, "--json"), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        _stop(title, command, done.returncode)
    return Step(title, command, time.perf_counter() - started, json.loads(done.stdout))


def _stop(title: str, command: tuple[str, ...], code: int) -> None:
    from dermport.errors import DermportError

    raise DermportError(
        f"{title}: `dermport {command[0]}` ended with exit code {code}.", remedy="See what it said above."
    )


def _argv(*command: str) -> list[str]:
    return [sys.executable, "-m", "dermport", *command]


def _test_photos(bundle: Path, data: Path) -> list[Path]:
    """Return photos of the bundle's test part, spread over it."""
    from dermport.bundle.store import Bundle
    from dermport.workflows.photos import read_photos

    paths = read_photos(Bundle.open(bundle), data, "test", progress=output).paths
    return list(paths[:: max(1, len(paths) // PHONE_PHOTOS)])[:PHONE_PHOTOS]


@contextlib.contextmanager
def _serving(bundle: Path) -> Iterator[str]:
    """Serve the bundle on a free loopback port; yield the URL; stop the server as systemd would."""
    from dermport.errors import ServerError

    say(f"\n[bold]Serve[/bold]\n  dermport serve {bundle} --port 0")
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
