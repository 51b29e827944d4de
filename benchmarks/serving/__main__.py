"""What the server achieves, beside other servers of the same model file, preprocessing and photos, in one run.

    python -m benchmarks.serving --bundle artifacts/ham7
    python -m benchmarks.serving throughput --photos ham10000 --rounds 5 --json throughput.json
    python -m benchmarks.serving large --peers mosec
    python -m benchmarks.serving --soak 20

correctness   each server answers what the model says, to 1e-5
throughput    photos a second and latencies at 1, 8 and 32 clients, each beside the in-process limit
precisions    our runtimes in float32 and int8, each beside its own limit
forms         small photos, a camera's, and prepared tensors
footprint     seconds from start to first answer, memory by process
large         small requests beside 24 MP photos, and the peak of the memory
--soak        mixed requests for some minutes with three hot swaps

Every peer gets an environment of its own below build/peers/ when it is first needed. The logs of each server's last
start are in build/benchmarks/logs/. Without --photos, 600x450 photos are drawn once, into build/benchmarks/photos/.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.serving import correctness, footprint, forms, large, precisions, soak, throughput
from benchmarks.serving.conditions import Conditions
from benchmarks.serving.peers import peers
from benchmarks.serving.photos import stored_photos
from dermport.bundle.atomic import write_json
from dermport.bundle.store import Bundle
from dermport.errors import DermportError, UsageError
from dermport.exporters.benchmark.machine import this_machine

ITEMS: dict[str, Callable[[Conditions], dict[str, Any]]] = {
    "correctness": correctness.run,
    "throughput": throughput.run,
    "precisions": precisions.run,
    "forms": forms.run,
    "footprint": footprint.run,
    "large": large.run,
}
_PACKAGES = ("onnxruntime", "ai-edge-litert", "pillow", "numpy", "flask", "waitress")


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
    chosen = {name: ITEMS[name] for name in options.items or (() if options.soak else ITEMS)}
    if options.soak:
        chosen["soak"] = partial(soak.run, minutes=options.soak)
    document = _circumstances(conditions)
    for name, item in chosen.items():
        document[name] = item(conditions)
        if options.json:
            write_json(options.json, document)


def _circumstances(conditions: Conditions) -> dict[str, Any]:
    manifest = Bundle.open(conditions.bundle).manifest
    return {
        "machine": this_machine().model_dump(mode="json"),
        "packages": {name: version(name) for name in _PACKAGES},
        "model": {"name": manifest.name, "version": manifest.version, "input": manifest.preprocessing.size},
        "photos": {"size": conditions.photos.name, "count": len(conditions.photos.photos)},
        "conditions": {name: getattr(conditions, name) for name in ("seconds", "rounds", "workers")},
    }


def _conditions(options: argparse.Namespace) -> Conditions:
    available = {peer.name: peer for peer in peers(options.bundle, options.workers)}
    wanted = list(available) if options.peers is None else options.peers
    if unknown := set(wanted) - set(available):
        raise UsageError(f"There is no peer {', '.join(sorted(unknown))}.", remedy=f"Peers: {', '.join(available)}.")
    if unknown := set(options.items) - set(ITEMS):
        raise UsageError(f"There is no item {', '.join(sorted(unknown))}.", remedy=f"Items: {', '.join(ITEMS)}.")
    return Conditions(
        bundle=options.bundle,
        photos=stored_photos(options.photos),
        seconds=options.seconds,
        rounds=options.rounds,
        workers=options.workers,
        peers=tuple(peer for name, peer in available.items() if name in wanted),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("items", nargs="*", metavar="ITEM", help=f"{', '.join(ITEMS)}; default: all")
    parser.add_argument("--bundle", type=Path, default=Path("artifacts/ham7"), help="an exported bundle")
    parser.add_argument("--photos", type=Path, help="a folder of JPEG; default: drawn photos of 600x450")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help="beside which peers; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load in each round")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes of each server")
    parser.add_argument(
        "--soak", type=float, metavar="MINUTES", help="a soak of so many minutes (alone, unless items are named)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    return parser


if __name__ == "__main__":
    main()
