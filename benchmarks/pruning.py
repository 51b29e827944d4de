"""What pruning gained: bytes, zeros, multiply-accumulates and latency of bundles beside their parent, by runtime.

    python -m benchmarks.pruning artifacts/ham7 artifacts/channels-50 artifacts/magnitude-80 --out pruning.json

All bundles need fp32 of tflite and onnx exported. Zeros are counted in the weights that the TFLite file holds: sparsity
is 1 - |W'| / |W|. Files are measured as stored, and compressed by DEFLATE. Each round calls every file once, in an
order that changes from pass to pass, so that all share the machine's noise; ratios to the parent are taken round by
round, with a 95 % bootstrap interval. A bundle with many zeros is measured once more as TFLite's sparse encoding
(``tf.lite.Optimize.EXPERIMENTAL_SPARSITY``), the one form of which LiteRT could know where the zeros are.

A gain is claimed only where the whole interval lies below 0.97.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import show
from dermport.bundle.benchmark_record import Ratio
from dermport.bundle.macs import count_macs
from dermport.bundle.notice import NOTICE
from dermport.bundle.store import Bundle
from dermport.exporters.benchmark.results import compressed_bytes, stored_bytes
from dermport.exporters.benchmark.timings import ratio
from dermport.exporters.registry import get_target
from dermport.runtimes.base import Runtime
from dermport.runtimes.litert import LiteRT

TARGETS = {"LiteRT": "tflite", "ONNX Runtime": "onnx"}
SPARSE = "LiteRT, sparse encoding"
MANY_ZEROS, GAIN = 0.3, 0.97
_PASSES, _WARM_UP = 4, 5

Key = tuple[str, str]
"""The bundle's name and the way of running it."""


@dataclass(frozen=True)
class MeasuredFile:
    """One file of one bundle.

    Attributes:
        bundle: The bundle's name.
        runtime: What ran it, and how.
        stored: Bytes of the file.
        compressed: Bytes of it compressed by DEFLATE.
        sparsity: Share of zeros among the weights, 0..1.
        macs: Multiply-accumulates for one photo, those with zeros among them.
        milliseconds: Median latency.
        to_parent: Latency by the parent's in the same runtime; None of the parent itself.
    """

    bundle: str
    runtime: str
    stored: int
    compressed: int
    sparsity: float
    macs: int
    milliseconds: float
    to_parent: Ratio | None


def compare(bundles: Sequence[Bundle], rounds: int, threads: int) -> tuple[MeasuredFile, ...]:
    """Measure the bundles, the parent first, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        files = {key: path for bundle in bundles for key, path in _files(bundle, Path(folder)).items()}
        times = _times({key: _opened(key, path, threads) for key, path in files.items()}, bundles, rounds)
        zeros = {bundle.path.name: sparsity(files[bundle.path.name, "LiteRT"]) for bundle in bundles}
        macs = {bundle.path.name: count_macs(bundle.file(bundle.manifest.model.file)) for bundle in bundles}
        parent = bundles[0].path.name
        return tuple(
            MeasuredFile(
                bundle=name,
                runtime=runtime,
                stored=stored_bytes(path),
                compressed=compressed_bytes(path),
                sparsity=round(zeros[name], 4),
                macs=macs[name],
                milliseconds=round(1000 * float(np.median(np.concatenate(times[name, runtime]))), 3),
                to_parent=ratio(times[name, runtime], times[parent, _base(runtime)]) if name != parent else None,
            )
            for (name, runtime), path in files.items()
        )


def sparsity(model: Path) -> float:
    """Return the share of zeros among the weights of a float32 TFLite file, biases aside."""
    from dermport.exporters.tflite.graph import TFLiteGraph

    weights = [layer.weights for layer in TFLiteGraph(model.read_bytes()).layers()]
    return 1 - sum(map(np.count_nonzero, weights)) / sum(one.size for one in weights)


def verdicts(measured: Sequence[MeasuredFile]) -> list[str]:
    """Return a sentence for each runtime and bundle: what it gained, or that it did not."""
    return [_verdict(one, one.to_parent) for one in measured if one.to_parent is not None]


def _verdict(one: MeasuredFile, found: Ratio) -> str:
    figures = f"{found.value:.2f} of the parent's latency [{found.low:.2f}, {found.high:.2f}]"
    if found.high < GAIN:
        return f"{one.bundle} in {one.runtime}: faster, {figures}."
    zeros = f" for its {one.sparsity:.0%} zeros" if one.sparsity > MANY_ZEROS else ""
    return f"{one.bundle} in {one.runtime}: no gain in time{zeros}, {figures}."


def _base(runtime: str) -> str:
    return "LiteRT" if runtime == SPARSE else runtime


def _files(bundle: Bundle, folder: Path) -> dict[Key, Path]:
    """Return the files of a bundle that are measured; the sparse encoding is written into `folder`."""
    name = bundle.path.name
    exports = {runtime: bundle.export(target, "fp32") for runtime, target in TARGETS.items()}
    files = {(name, runtime): export.checked() for runtime, export in exports.items()}
    if sparsity(files[name, "LiteRT"]) > MANY_ZEROS:
        files[name, SPARSE] = folder / f"{name}.tflite"
        files[name, SPARSE].write_bytes(_sparsely_encoded(bundle))
    return files


def _sparsely_encoded(bundle: Bundle) -> bytes:
    """Return the bundle's float32 TFLite model with its weights in TFLite's sparse encoding, where many are zero."""
    from dermport.exporters.source import load_source
    from dermport.exporters.tflite.convert import float_model
    from dermport.exporters.tflite.metadata import stamped

    source = load_source(bundle)
    return stamped(float_model(source.model, sparse=True), source, "fp32")


def _opened(key: Key, path: Path, threads: int) -> Runtime:
    if key[1] == SPARSE:
        return LiteRT(path, threads)
    return get_target(TARGETS[key[1]]).execution(path.parent, threads).runtime


def _times(runtimes: Mapping[Key, Runtime], bundles: Sequence[Bundle], rounds: int) -> dict[Key, list[list[float]]]:
    """Return seconds, one list for each pass."""
    photos = {bundle.path.name: bundle.golden().tensors for bundle in bundles}
    random = np.random.default_rng(0)
    times: dict[Key, list[list[float]]] = {key: [[] for _ in range(_PASSES)] for key in runtimes}
    for number in range(_PASSES):
        order = [list(runtimes)[index] for index in random.permutation(len(runtimes))]
        for turn in range(-_WARM_UP, rounds // _PASSES):
            for key in order:
                seconds = _seconds(runtimes[key], photos[key[0]], turn)
                if turn >= 0:
                    times[key][number].append(seconds)
    return times


def _seconds(runtime: Runtime, photos: NDArray[np.uint8], turn: int) -> float:
    photo = photos[turn % len(photos)][None]
    started = time.perf_counter()
    runtime.predict(photo)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", type=Path, nargs="+", help="the parent, then its children")
    parser.add_argument("--rounds", type=int, default=200, help="calls of each file")
    parser.add_argument("--threads", type=int, default=1, help="of each runtime")
    parser.add_argument("--out", type=Path, help="a JSON file to write the figures to")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    measured = compare([Bundle.open(path) for path in arguments.bundles], arguments.rounds, arguments.threads)
    print_table(measured)
    print("\n".join(verdicts(measured)), NOTICE, sep="\n")
    if arguments.out:
        arguments.out.write_text(json.dumps(document(measured, arguments.threads), indent=2) + "\n")


def print_table(measured: Sequence[MeasuredFile]) -> None:
    """Print a line for each file."""
    parent = {one.runtime: one for one in measured if one.to_parent is None}
    rows = [
        (
            f"{one.bundle}, {one.runtime}",
            f"{one.stored / 1e6:.2f}",
            f"{one.compressed / 1e6:.2f}",
            f"{one.compressed / parent[_base(one.runtime)].compressed:.2f}",
            f"{one.sparsity:.1%}",
            f"{one.macs / 1e6:.1f}",
            f"{one.milliseconds:.2f}",
            f"{one.to_parent.value:.2f}" if one.to_parent else "",
        )
        for one in measured
    ]
    show("Files", ("bundle, run by", "MB", "deflated", "of it", "zeros", "MMACs", "ms", "ratio"), rows)


def document(measured: Sequence[MeasuredFile], threads: int) -> dict[str, Any]:
    """Return the figures for ``--out``."""
    files = [asdict(one) | {"to_parent": one.to_parent and one.to_parent.model_dump()} for one in measured]
    return {"threads": threads, "files": files, "verdicts": verdicts(measured), "notice": NOTICE}


if __name__ == "__main__":
    main()
