"""What the server achieves, beside other servers of the same model file, preprocessing and photos, in one run.

    python -m benchmarks.serving throughput --json build/benchmarks/throughput.json
    python -m benchmarks.serving.report build/benchmarks/throughput.json docs/server.md
    python -m benchmarks.serving soak attacks --minutes 20 --json build/benchmarks/soak.json
    python -m benchmarks.serving large --bundle artifacts/ham7:fp32 --photos ham10000 --peers mosec

throughput    photos a second, latencies, memory at 1, 8, 32 and 128 clients, each beside the in-process limit; goals
precisions    our runtimes in float32 and int8, each beside its own limit
forms         small photos, a camera's, and prepared tensors
large         small requests beside 24 MP photos, and the peak of the memory
soak          mixed requests with hot swaps, revoked keys and scan bombs, each answer checked
attacks       honest clients beside floods, drips, bombs, damaged photos and slow readers

Without names, all but soak and attacks. Every peer gets an environment of its own below build/peers/ when it is first
needed. The logs of each server's last start are in build/benchmarks/logs/. Without --bundle and --photos, two models
and 600x450 photos are drawn once, into build/benchmarks/.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from benchmarks.serving import attacks, forms, large, precisions, soak, throughput
from benchmarks.serving.conditions import Conditions
from benchmarks.serving.models import DRAWN, BenchmarkModel, drawn_model, named_model
from benchmarks.serving.peers import PEERS
from benchmarks.serving.photos import stored_photos
from benchmarks.tables import say
from dermport.bundle.atomic import write_json
from dermport.bundle.store import Bundle
from dermport.errors import DermportError, UsageError
from dermport.exporters.benchmark.machine import this_machine

ITEMS: dict[str, Callable[[Conditions], dict[str, Any]]] = {
    "throughput": throughput.run,
    "precisions": precisions.run,
    "forms": forms.run,
    "large": large.run,
    "soak": soak.run,
    "attacks": attacks.run,
}
_LONG = ("soak", "attacks")
_PACKAGES = ("onnxruntime", "ai-edge-litert", "pillow", "numpy", "flask", "gunicorn", "waitress")


def main() -> None:
    """Run what the command line names."""
    options = _parser().parse_args()
    try:
        run(options)
    except DermportError as error:
        sys.exit(f"benchmarks.serving: {error}")


def run(options: argparse.Namespace) -> None:
    """Measure what is asked for, one item after the other; the JSON file is written after each."""
    conditions = _conditions(options)
    document = _circumstances(conditions)
    for name in options.items or [name for name in ITEMS if name not in _LONG]:
        began = time.monotonic()
        document[name] = ITEMS[name](conditions)
        say(f"{name} took {(time.monotonic() - began) / 60:.1f} minutes")
        if options.json:
            write_json(options.json, document)


def _circumstances(conditions: Conditions) -> dict[str, Any]:
    installed = {distribution.metadata["Name"].lower() for distribution in distributions()}
    return {
        "machine": this_machine().model_dump(mode="json"),
        "packages": {name: version(name) for name in _PACKAGES if name in installed},
        "models": {model.name: _described(model) for model in conditions.models},
        "photos": {
            "size": conditions.photos.name,
            "count": len(conditions.photos.photos),
            "kilobytes": conditions.photos.kilobytes,
        },
        "conditions": {name: getattr(conditions, name) for name in ("seconds", "rounds", "workers", "minutes")},
    }


def _described(model: BenchmarkModel) -> dict[str, Any]:
    manifest = Bundle.open(model.bundle).manifest
    return {"version": manifest.version, "input": manifest.preprocessing.size, "precision": model.precision}


def _conditions(options: argparse.Namespace) -> Conditions:
    wanted = PEERS if options.peers is None else tuple(options.peers)
    if unknown := set(wanted) - set(PEERS):
        raise UsageError(f"There is no peer {', '.join(sorted(unknown))}.", remedy=f"Peers: {', '.join(PEERS)}.")
    if unknown := set(options.items) - set(ITEMS):
        raise UsageError(f"There is no item {', '.join(sorted(unknown))}.", remedy=f"Items: {', '.join(ITEMS)}.")
    named = [named_model(text) for text in options.bundle or ()]
    return Conditions(
        models=tuple(named or map(drawn_model, options.models or DRAWN)),
        photos=stored_photos(options.photos),
        seconds=options.seconds,
        rounds=options.rounds,
        workers=options.workers,
        peers=wanted,
        minutes=options.minutes,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("items", nargs="*", metavar="ITEM", help=", ".join(ITEMS))
    parser.add_argument(
        "--bundle", action="append", metavar="FOLDER[:PRECISION]", help="an exported bundle; default: drawn models"
    )
    parser.add_argument("--models", nargs="*", choices=DRAWN, help="which of the drawn models; default: both")
    parser.add_argument("--photos", type=Path, help="a folder of JPEG; default: drawn photos of 600x450")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help="beside which peers; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each load in each round")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes of each server")
    parser.add_argument("--minutes", type=float, default=20.0, help="of a soak, and of the attacks")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    return parser


if __name__ == "__main__":
    main()
