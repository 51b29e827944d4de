"""Faults planted in a phone's answers, and the causes that the server names: a table of one against the other.

    python -m benchmarks.planted_faults artifacts/ham7 photos/ --count 20

The phone is the bundle's own .tflite in LiteRT, the server its float32 ONNX in ONNX Runtime, both in this process. An
older version and a damaged file are made of the .tflite by changing some of its weights; float16 arithmetic is the
ONNX model with every operator's inputs and outputs rounded to float16. Exit 1 if a cause was named wrongly.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.plants import PLANTS, FaultlessPhone, Plant, Scene, Values
from benchmarks.tables import say, show
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.store import RECORD, Bundle, Export, file_entries, write_manifest, write_record
from dermport.runtimes.litert import LiteRT
from dermport.runtimes.onnxruntime import open_session
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.comparing.case import Case, Sent
from dermport.server.comparing.judge import Judgement, judge
from dermport.server.comparing.runtime_faults import LOOK
from dermport.server.config import ServingConfig
from dermport.server.serving.live import LiveModel
from dermport.server.serving.models import Alone, Models

OLD_VERSION = "0.0.1"
_SCALED = 65_536  # weights


@dataclass
class Diagnosis:
    """What was named for one plant.

    Attributes:
        plant: What was planted.
        photos: How many photos gave occasion for it.
        right: In how many of them the cause was named rightly.
        finer: In how many the fault was, too; of those whose change is too small to ask, none is expected.
        causes: How often each cause was named.
        codes: How often each fault was named first.
        changes: Largest |Δp| of each photo.
        unshared: Largest |change - preprocessing - artifact - runtime| of a label.
        milliseconds: Of judging each photo.
    """

    plant: str
    photos: int = 0
    right: int = 0
    finer: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    changes: list[float] = field(default_factory=list)
    unshared: float = 0.0
    milliseconds: list[float] = field(default_factory=list)

    def add(self, plant: Plant, judged: Judgement, milliseconds: float) -> None:
        """Take in what was named of one photo."""
        verdict, code = judged.verdict, judged.faults[0].code if judged.faults else None
        small = plant.cause == "runtime" and verdict.change <= LOOK
        self.photos += 1
        self.right += verdict.cause == plant.cause
        self.finer += code in plant.codes or (code is None and (small or not plant.codes))
        self.causes[verdict.cause] += 1
        self.codes[code or "-"] += 1
        self.changes.append(verdict.change)
        self.milliseconds.append(milliseconds)
        if judged.decomposition is not None:
            parts = judged.decomposition.by_label.values()
            known = [sum(filter(None, (p.preprocessing, p.artifact, p.runtime, p.unresolved))) for p in parts]
            left = max(abs(p.change - shared) for p, shared in zip(parts, known, strict=True))
            self.unshared = max(self.unshared, left)


@dataclass(frozen=True)
class Clinic:
    """A server in this process, and the phones that ask it."""

    models: Models
    runner: ArtifactRunner
    phones: dict[str, FaultlessPhone]
    half: Any

    def judge(self, sent: Sent) -> Judgement:
        """Have the server judge what a phone sent."""
        with self.models.lease() as live:
            return judge(Case(sent, live, self.models.bundles(), self.runner), self.runner)

    def scene(self, photo: bytes, before: bytes, bundle: Bundle) -> Scene:
        """Put the phones before a photo."""
        return Scene(photo, before, bundle.manifest.preprocessing, half=self.half, **self.phones)


@contextmanager
def clinic_of(bundle: Bundle, folder: Path) -> Iterator[Clinic]:
    """Open server and phones.

    Args:
        bundle: With the exports tflite fp32, tflite int8 and onnx fp32.
        folder: Where the older version and the damaged file are written.
    """
    sound = bundle.export("tflite", "fp32")
    old = _older(bundle, sound, folder / "old")
    damaged = _altered(sound, folder / "damaged", 0.5, 4.0)
    serving = ServingConfig(runtime="onnxruntime", precision="fp32", process_model="batcher")
    exports = {"sound": sound, "other": bundle.export("tflite", "int8"), "old": old, "damaged": damaged}
    with ExitStack() as stack:
        models = Models((bundle.path, folder / "old"), partial(LiveModel, serving=serving), Alone(_key(bundle)))
        stack.callback(models.close)
        runner = ArtifactRunner(models.bundles)
        stack.callback(runner.close)
        phones = {
            name: FaultlessPhone(export, stack.enter_context(LiteRT(export.artifact)))
            for name, export in exports.items()
        }
        half = _half_precision(bundle.export("onnx", "fp32").checked(), phones["sound"].runtime.labels)
        yield Clinic(models, runner, phones, half)


def _key(bundle: Bundle) -> Any:
    return bundle.manifest.name, bundle.manifest.version


def _older(bundle: Bundle, sound: Export, folder: Path) -> Export:
    """Write an older version of the bundle, with one export whose weights differ."""
    folder.mkdir(parents=True)
    split = bundle.manifest.known_dataset.split.file
    (folder / bundle.manifest.model.file).write_bytes(b"an older model")
    (folder / split).write_bytes((bundle.path / split).read_bytes())
    write_manifest(folder, bundle.manifest.model_copy(update={"version": OLD_VERSION, "files": file_entries(folder)}))
    older = Bundle.open(folder)
    export = _altered(sound, older.export_folder("tflite", "fp32"), 0.25, 1.2)
    source = export.record.bundle.model_copy(update={"version": OLD_VERSION, "model_sha256": older.model_sha256})
    write_record(export.path, export.record.model_copy(update={"bundle": source}))
    return Export.open(export.path)


def _altered(sound: Export, folder: Path, place: float, factor: float) -> Export:
    """Write a copy of an export whose weights at a place, 0..1, of the file are `factor` times as large."""
    data = bytearray(sound.checked().read_bytes())
    start = _weights_after(data, int(len(data) * place))
    weights = np.frombuffer(data, np.float32, _SCALED, start)
    data[start : start + weights.nbytes] = (weights * np.float32(factor)).tobytes()
    folder.mkdir(parents=True)
    (folder / sound.record.artifact).write_bytes(data)
    files = file_entries(folder, exclude=(RECORD,))
    write_record(folder, sound.record.model_copy(update={"artifact_sha256": sha256_bytes(bytes(data)), "files": files}))
    return Export.open(folder)


def _weights_after(data: bytearray, place: int) -> int:
    """Return where, after a place, as many bytes as are altered look like float32 weights."""
    for start in range(place // 16 * 16, len(data) - 4 * _SCALED, 4 * _SCALED):
        weights = np.frombuffer(data, np.float32, _SCALED, start)
        if np.isfinite(weights).all() and np.abs(weights).max() < 1000:
            return start
    raise SystemExit(f"The .tflite has no {_SCALED:,} float32 weights in a row.")


def _half_precision(path: Path, labels: Sequence[str]) -> Any:
    """Return what the model answers where every operator's inputs and outputs are rounded to float16."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    halved = convert_float_to_float16(onnx.load(path), keep_io_types=True)
    session = open_session(halved.SerializeToString(), 1)
    own = tuple(json.loads(session.get_modelmeta().custom_metadata_map["labels"]))

    def answers(tensor: Values) -> list[float]:
        (row,) = session.run(None, {session.get_inputs()[0].name: tensor[None].astype(np.float32)})[0]
        return [float(row[own.index(label)]) for label in labels]

    return answers


def measure(bundle: Bundle, photos: Sequence[bytes], folder: Path) -> list[Diagnosis]:
    """Plant every fault in every photo.

    Args:
        bundle: What is served.
        photos: JPEGs or PNGs; at least two.
        folder: For what is written on the way.
    """
    outcomes = {plant.name: Diagnosis(plant.name) for plant in PLANTS}
    with clinic_of(bundle, folder) as clinic:
        for number, photo in enumerate(photos):
            scene = clinic.scene(photo, photos[number - 1], bundle)
            for plant in PLANTS:
                if (sent := plant.plant(scene)) is None:
                    continue
                start = time.perf_counter()
                judged = clinic.judge(sent)
                outcomes[plant.name].add(plant, judged, 1000 * (time.perf_counter() - start))
            say(f"{number + 1} of {len(photos)} photos")
    return list(outcomes.values())


def _row(plant: Plant, outcome: Diagnosis) -> list[str]:
    if not outcome.photos:
        return [plant.name, plant.cause, "-", "-", "no occasion", "-", "-"]
    return [
        plant.name,
        plant.cause,
        f"{outcome.right}/{outcome.photos}",
        f"{outcome.finer}/{outcome.photos}",
        ", ".join(f"{code} {count}" for code, count in outcome.codes.most_common()),
        f"{statistics.median(outcome.changes):.2g} / {max(outcome.changes):.2g}",
        f"{statistics.median(outcome.milliseconds):.0f}",
    ]


def _photos(folder: Path, count: int) -> list[bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if len(paths) < 2:
        raise SystemExit(f"{folder} holds fewer than two photos (.jpg, .jpeg, .png).")
    return [paths[number * len(paths) // count].read_bytes() for number in range(min(count, len(paths)))]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="with the exports tflite fp32, tflite int8 and onnx fp32")
    parser.add_argument("photos", type=Path, help="a folder of JPEGs or PNGs")
    parser.add_argument("--count", type=int, default=20, help="how many of them, evenly chosen")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photos = _photos(options.photos, options.count)
        outcomes = measure(Bundle.open(options.bundle), photos, Path(folder))
    if options.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
    else:
        columns = ("planted", "cause", "named", "fault named", "faults", "|Δp| median / max", "ms")
        show(f"{len(photos)} photos", columns, [_row(*pair) for pair in zip(PLANTS, outcomes, strict=True)])
    raise SystemExit(int(any(outcome.right < outcome.photos for outcome in outcomes)))


if __name__ == "__main__":
    main()
