"""What each target truly stores in few bits, and what that costs: the table of docs/low-bit.md.

    dermport export BUNDLE --to coreml --precision palette3 ...
    python -m benchmarks.low_bits BUNDLE --data DIR

Bits are read from the saved files, bytes are theirs, every artifact is executed on the whole test part and compared
with the original (agreement with Wilson's 95 % interval, accuracy and balanced accuracy with a paired bootstrap by
lesion). Latency is the median of single photos on one thread, all artifacts in turns, of runtimes that devices use.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.atomic import write_text
from dermport.bundle.export_record import Parity
from dermport.bundle.policy import read_policy
from dermport.bundle.store import Bundle, Export
from dermport.exporters.registry import get_target
from dermport.exporters.source import load_model
from dermport.exporters.verify import VerificationReference, verify
from dermport.statistics.estimates import Delta
from dermport.statistics.wilson import wilson_interval
from dermport.training.model.network import predict
from dermport.workflows.photos import read_photos

PAGE = Path(__file__).parents[1] / "docs" / "low-bit.md"
_PART = re.compile(r"(<!-- measured: low-bit -->\n).*?(<!-- end -->)", re.DOTALL)
_TARGETS = ("coreml", "tflite", "onnx")
_LAYERS = 53  # of a MobileNetV2: 52 convolutions and the classifier
_ROUNDS = 60


@dataclass(frozen=True)
class ArtifactFigures:
    """One artifact.

    Attributes:
        export: The artifact with its record.
        stored: How many layers' weights are stored how, e.g. ``{"4-bit palette": 22}``.
        parity: How it compares with the original.
        milliseconds: Median of single photos; None where no runtime that devices use is here.
    """

    export: Export
    stored: Counter[str]
    parity: Parity
    milliseconds: float | None


def stored_layers(export: Export) -> Counter[str]:
    """Return how many layers' weights a saved file stores in which type."""
    read = {"coreml": _stored_coreml, "tflite": _stored_tflite, "onnx": _stored_onnx}
    return read[export.record.target](export)


def _stored_coreml(export: Export) -> Counter[str]:
    names = {"constexpr_lut_to_dense": "{}-bit palette", "constexpr_affine_dequantize": "int{}"}
    counts: Counter[str] = Counter()
    for operator in export.record.operators:
        if operator.type.startswith("constexpr"):
            bits = re.sub(r"\D", "", operator.precision)
            counts[names.get(operator.type, "int{}").format(bits)] += operator.count
    counts["float16"] = _LAYERS - counts.total()
    return counts


def _stored_tflite(export: Export) -> Counter[str]:
    from dermport.exporters.tflite.graph import TFLiteGraph

    names = {0: "float32", 1: "float16", 9: "int8", 17: "int4"}
    graph = TFLiteGraph(export.artifact.read_bytes())
    stored = (graph.tensor(operator.inputs[1]) for operator in graph.weighted())
    return Counter(names[tensor.type] for tensor in stored)


def _stored_onnx(export: Export) -> Counter[str]:
    import onnx

    from dermport.exporters.onnx.graph import OnnxGraph

    graph = OnnxGraph.of(onnx.load(export.artifact))
    read = (node.input[1] for node in graph.weighted())
    constants = (graph.producers[name].input[0] if name in graph.producers else name for name in read)
    names = {1: "float32", 2: "uint8", 3: "int8", 22: "int4"}
    return Counter(names[graph.initializers[name].data_type] for name in constants)


def latencies(exports: list[Export], photos: NDArray[np.uint8]) -> dict[str, float]:
    """Return the median milliseconds of single photos by artifact, called in turns on one thread."""
    times: dict[str, list[float]] = {}
    with ExitStack() as stack:
        runtimes = {}
        for export in exports:
            execution = get_target(export.record.target).execution(export.path, 1)
            runtime = stack.enter_context(execution.runtime)
            if execution.evidence in {"device", "host-runtime"}:
                runtimes[export.path.name] = runtime
        for number in range(_ROUNDS):
            photo = photos[number % len(photos)][None]
            for name, runtime in runtimes.items():
                started = time.perf_counter()
                runtime.predict(photo)
                times.setdefault(name, []).append(time.perf_counter() - started)
    return {name: 1000 * float(np.median(seconds[5:])) for name, seconds in times.items()}


def measure(bundle: Bundle, reference: VerificationReference) -> list[ArtifactFigures]:
    """Verify every export of the targets that know few bits, and time the ones that can be."""
    exports = [export for export in bundle.exports() if export.record.target in _TARGETS]
    parities = {}
    for export in exports:
        parities[export.path.name] = verify(bundle, export, reference, read_policy())
        print(f"  {export.path.name}: {parities[export.path.name].top1_agreement:.4f}", flush=True)
    times = latencies(exports, reference.photos.tensors(bundle.manifest.preprocessing))
    rows = [ArtifactFigures(e, stored_layers(e), parities[e.path.name], times.get(e.path.name)) for e in exports]
    return sorted(rows, key=lambda row: (row.export.record.target, -row.export.record.artifact_bytes))


def table(rows: list[ArtifactFigures]) -> str:
    """Return the rows in Markdown."""
    head = (
        "artifact | layers' weights, as stored | bytes | of float32 | top-1 agreement | Δ accuracy, points | "
        "Δ balanced accuracy, points | positive → negative | ms | evidence"
    )
    lines = [head, " | ".join("---" for _ in head.split(" | ")), *(_line(row) for row in rows)]
    return "".join(f"| {line} |\n" for line in lines)


def _line(row: ArtifactFigures) -> str:
    record, parity = row.export.record, row.parity
    low, high = wilson_interval(round(parity.top1_agreement * parity.photos), parity.photos)
    stored = ", ".join(f"{count} × {kind}" for kind, count in sorted(row.stored.items()) if count)
    cells = (
        f"`{row.export.path.name}`",
        stored,
        f"{record.artifact_bytes:,}",
        f"{record.size_ratio:.3f}",
        f"{parity.top1_agreement:.3f} ({low:.3f} to {high:.3f})",
        _points(parity.metrics["accuracy"]),
        _points(parity.metrics["balanced_accuracy"]),
        str(parity.flips_to_negative),
        "not measured" if row.milliseconds is None else f"{row.milliseconds:.1f}",
        parity.evidence,
    )
    return " | ".join(cells)


def _points(delta: Delta) -> str:
    change, low, high = (0.0 if value is None else 100 * value for value in (delta.change, delta.low, delta.high))
    return f"{change:+.1f} ({low:+.1f} to {high:+.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the data set that the bundle was trained on")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write the table into")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    bundle = Bundle.open(arguments.bundle)
    photos = read_photos(bundle, arguments.data, "test")
    original = predict(load_model(bundle), photos.tensors(bundle.manifest.preprocessing))
    reference = VerificationReference(photos, original)
    rows = measure(bundle, reference)
    text = f"{photos.title}: {len(photos):,} photos; {bundle.manifest.name}.\n\n{table(rows)}"
    print(text)
    page = arguments.page.read_text(encoding="utf-8")
    write_text(arguments.page, _PART.sub(lambda part: part[1] + text + part[2], page))


if __name__ == "__main__":
    main()
