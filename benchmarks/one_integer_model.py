"""Do phone and Jetson compute the same? An integer model's TFLite file against its ONNX Q/DQ graph, on the test photos.

    python -m benchmarks.one_integer_model artifacts/ham7-int8 --parent artifacts/ham7 --data ham10000 --out one.json

The bundle and its parent (both with int8 of tflite and onnx exported) answer every photo of a part. The files' integers
are read back and compared first. Then each pair of answers is counted: the same most probable label (Wilson's 95 %
interval), the same decision, and how far the probability that moved most moved. ONNX Runtime stands for the Jetson
("host-proxy": no engine was run), LiteRT for the phone, by its default kernels (XNNPACK) and by its own ones.
Without --parent nothing is compared with two int8 files that were calibrated apart.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import show
from dermport.bundle.manifest import Manifest
from dermport.bundle.notice import NOTICE
from dermport.bundle.store import Bundle
from dermport.cli import output
from dermport.exporters.benchmark.machine import this_machine
from dermport.statistics.estimates import Quantiles, Share, share_of
from dermport.statistics.metrics import scores
from dermport.workflows.photos import read_photos

Answers = dict[str, NDArray[np.float32]]
KERAS, PHONE, PLAIN_PHONE, JETSON = "model.keras", "LiteRT", "LiteRT without XNNPACK", "ONNX Runtime"
COLUMNS = ("the ways of a pair", "same label", "95 %", "same decision", "median |Δp|", "p95", "max")
FILES = {PHONE: ("tflite", "int8"), JETSON: ("onnx", "int8")}


@dataclass(frozen=True)
class LabelAgreement:
    """How two ways of running a model agree.

    Attributes:
        first: One of them.
        second: The other.
        top1: Photos with the same most probable label.
        decision: Photos with the same decision by the bundle's threshold.
        change: Of the largest |Δp| of each photo.
    """

    first: str
    second: str
    top1: Share
    decision: Share
    change: Quantiles

    @classmethod
    def of(cls, manifest: Manifest, answers: Answers, first: str, second: str) -> LabelAgreement:
        ours, theirs = answers[first], answers[second]
        positive, threshold = manifest.task.positive_indices, manifest.threshold
        decided = [scores(answer, positive) >= threshold for answer in (ours, theirs)]
        change = np.abs(ours.astype(np.float64) - theirs).max(axis=1)
        return cls(
            first,
            second,
            share_of(int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum()), len(ours)),
            share_of(int((decided[0] == decided[1]).sum()), len(ours)),
            Quantiles(
                mean=float(change.mean()),
                median=float(np.median(change)),
                p95=float(np.quantile(change, 0.95)),
                max=float(change.max()),
            ),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "between": [self.first, self.second],
            "same_label": self.top1.model_dump(),
            "same_decision": self.decision.model_dump(),
            "largest_change": self.change.model_dump(),
        }


def answers_of(bundle: Bundle, tensors: NDArray[np.uint8], *, without_xnnpack: bool) -> Answers:
    """Return the probabilities float32 [N, C] of photos by each way of running the bundle's model."""
    from dermport.exporters.registry import get_target
    from dermport.exporters.source import load_model
    from dermport.exporters.verify import run
    from dermport.training.model.network import predict

    with output.bar(KERAS) as update:
        found = {KERAS: predict(load_model(bundle), tensors, update=update)}
    for name, (target, precision) in FILES.items():
        export = bundle.export(target, precision)
        export.checked()
        with get_target(target).execution(export.path).runtime as runtime, output.bar(name) as update:
            found[name] = run(runtime, tensors, update)
    if without_xnnpack:
        found[PLAIN_PHONE] = _plain_litert(bundle.export(*FILES[PHONE]).artifact, tensors)
    return found


def _plain_litert(path: Path, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    [source], [result] = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    with output.bar(PLAIN_PHONE) as update:
        for number, tensor in enumerate(tensors, 1):
            interpreter.set_tensor(source["index"], tensor[None].astype(np.float32))
            interpreter.invoke()
            rows.append(interpreter.get_tensor(result["index"])[0])
            update(number, len(tensors))
    return np.stack(rows)


def accuracies(answers: Answers, truth: NDArray[np.int64]) -> dict[str, float]:
    """Return the share of photos whose most probable label is the true one."""
    return {name: float((answer.argmax(axis=1) == truth).mean()) for name, answer in answers.items()}


def measure(bundle: Bundle, tensors: NDArray[np.uint8], truth: NDArray[np.int64], *, plain: bool) -> dict[str, Any]:
    """Measure one bundle, print its table and return its figures."""
    from dermport.exporters.integer.proof import differences, stored_in

    print(f"{bundle.manifest.name}:")
    files = [stored_in(bundle.export(*FILES[name]).checked()) for name in (PHONE, JETSON)]
    found = differences(*files)
    print(f"  integers of the two files: {f'{len(found)} differences' if found else 'the same, every one'}")
    answers = answers_of(bundle, tensors, without_xnnpack=plain)
    pairs = [LabelAgreement.of(bundle.manifest, answers, *names) for names in combinations(answers, 2)]
    show("How the ways agree", COLUMNS, [row(pair) for pair in pairs])
    accuracy = accuracies(answers, truth)
    print("  accuracy: " + ", ".join(f"{name} {value:.4f}" for name, value in accuracy.items()))
    return {
        "bundle": bundle.manifest.name,
        "integers_differ": list(found),
        "pairs": [pair.to_json() for pair in pairs],
        "accuracy": accuracy,
    }


def row(pair: LabelAgreement) -> tuple[str, ...]:
    """Return the cells of a pair under :data:`COLUMNS`."""
    share, decided = (f"{each.count / each.of:.4f}" for each in (pair.top1, pair.decision))
    interval = f"{pair.top1.low:.4f}–{pair.top1.high:.4f}"
    changes = (f"{pair.change.median:.5f}", f"{pair.change.p95:.4f}", f"{pair.change.max:.4f}")
    return (f"{pair.first} / {pair.second}", share, interval, decided, *changes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="a quantised bundle, its int8 of tflite and onnx exported")
    parser.add_argument("--parent", type=Path, help="the bundle that it was made from, exported alike")
    parser.add_argument("--data", type=Path, required=True, help="the data set")
    parser.add_argument("--part", default="test")
    parser.add_argument("--photos", type=int, help="only the first so many")
    parser.add_argument("--out", type=Path, help="a JSON file to write the figures to")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    bundles = [Bundle.open(path) for path in (arguments.bundle, arguments.parent) if path]
    photos = read_photos(bundles[0], arguments.data, arguments.part)
    tensors = photos.tensors(bundles[0].manifest.preprocessing)[: arguments.photos]
    truth = photos.targets[: arguments.photos]
    print(f"{photos.title}: {len(tensors)} photos. {NOTICE}")
    results = [measure(bundle, tensors, truth, plain=place == 0) for place, bundle in enumerate(bundles)]
    if arguments.out:
        packages = {name: version(name) for name in ("ai-edge-litert", "onnxruntime", "keras", "numpy")}
        machine = this_machine().model_dump(mode="json") | {"packages": packages}
        figures = {"photos": len(tensors), "part": photos.title, "machine": machine, "bundles": results}
        arguments.out.write_text(json.dumps(figures | {"notice": NOTICE}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
