"""Models of a few numbers, which really compute: what differs between two of them is known beforehand."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.photo_quality import survey_input
from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle, Export, write_manifest
from dermport.bundle.wire import ComparisonRequest, ServedModel, ServedRuntime
from dermport.runtimes.base import Runtime
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.serving.backend import prepare_job
from dermport.server.serving.jobs import InferenceJob, InferenceResult
from tests.factories import LABELS, draw_photo, manifest_of
from tests.server.fakes import add_export

Tensor = NDArray[np.uint8]


def make_bundle(folder: Path, version: str = "1.0.0", size: int = 64, threshold: float = 0.5) -> Bundle:
    """Write a bundle without golden set or evaluation; its model.keras is a name, not a model."""
    folder.mkdir(parents=True)
    (folder / "model.keras").write_text(f"model {version} {size}")
    (folder / "split.csv").write_text("photo_id\n")
    drawn = manifest_of(folder, "tiny", 1)
    decision = drawn.decision.model_copy(update={"threshold": threshold})
    changed = {"version": version, "preprocessing": Preprocessing(size=size), "decision": decision}
    write_manifest(folder, drawn.model_copy(update=changed))
    return Bundle.open(folder)


def export(bundle: Bundle, target: str, precision: str = "fp32", scale: float = 2.0) -> Export:
    """Export the model; `scale` is its one weight, which another precision changes a little."""
    content = json.dumps({"target": target, "scale": scale, "version": bundle.manifest.version}).encode()
    return add_export(bundle, target, precision, content)


class LinearRuntime:
    """Softmax over the mean colours of four quarters: it sees every pixel and the model's one weight."""

    def __init__(self, path: Path, name: str = "Linear 1.0") -> None:
        self.name, self.labels = name, LABELS
        self._scale = json.loads(path.read_text())["scale"]

    def __enter__(self) -> LinearRuntime:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def predict(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        half = tensors.shape[1] // 2
        quarters = [tensors[:, y : y + half, x : x + half].mean(axis=(1, 2, 3)) for y in (0, half) for x in (0, half)]
        logits = self._scale * np.stack(quarters, axis=1) / 16
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


class LinearLive:
    """A live model, without processes or queues."""

    def __init__(self, bundle: Bundle, exported: Export) -> None:
        self.bundle, self.export = bundle, exported
        self._runtime = LinearRuntime(exported.artifact)
        record = exported.record
        self.model = ServedModel(
            name=bundle.manifest.name,
            version=bundle.manifest.version,
            sha256=bundle.model_sha256,
            artifact_sha256=record.artifact_sha256,
            target=record.target,
            precision=record.precision,
        )
        self.served_by = ServedRuntime(name="Linear 1.0", reason="a test")
        self.jobs: list[InferenceJob] = []

    def answer(self, job: InferenceJob) -> InferenceResult:
        self.jobs.append(job)
        photo = prepare_job(job, self.bundle.manifest.preprocessing)
        row = tuple(self._runtime.predict(photo.tensor[None])[0].tolist())
        values = survey_input(photo.tensor) if self.bundle.manifest.abstention else None
        known = (row, photo.input_sha256, photo.width, photo.height, photo.orientation, {}, photo.tensor)
        return InferenceResult(*known, values=values)

    def turn(self, job: InferenceJob) -> AbstractContextManager[None]:
        return nullcontext()


class LinearModels:
    """The registry: one live model of some bundles."""

    def __init__(self, live: LinearLive, *others: Bundle) -> None:
        self.live, self._bundles = live, (live.bundle, *others)

    @contextmanager
    def lease(self) -> Iterator[LinearLive]:
        yield self.live

    def bundles(self) -> tuple[Bundle, ...]:
        return self._bundles


def runner_of(*bundles: Bundle, **options: Any) -> ArtifactRunner:
    return ArtifactRunner(lambda: bundles, {"tflite": LinearRuntime}, **options)


def photo(seed: int = 0) -> bytes:
    return draw_photo(2, seed)


def tensor_of(data: bytes, bundle: Bundle) -> Tensor:
    return prepare(data, bundle.manifest.preprocessing).tensor


def shifted(tensor: Tensor) -> Tensor:
    """What a phone that resizes otherwise makes of the photo: half of it darker."""
    other = tensor.copy()
    other[:, : tensor.shape[1] // 2] //= 2
    return other


def png(tensor: Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(tensor).save(file, "PNG")
    return file.getvalue()


def phone_says(exported: Export, tensor: Tensor, data: bytes | None, **other: Any) -> ComparisonRequest:
    """What a phone says that runs `exported` on `tensor`, made of the photo `data`."""
    runtime: Runtime = LinearRuntime(exported.artifact)
    [row] = runtime.predict(tensor[None])
    facts: dict[str, Any] = {
        "probabilities": dict(zip(LABELS, row.tolist(), strict=True)),
        "input_sha256": sha256_bytes(tensor.tobytes()),
        "photo_sha256": sha256_bytes(data) if data is not None else None,
        "artifact_sha256": exported.record.artifact_sha256,
        "model_sha256": exported.record.bundle.model_sha256,
        "runtime": "LiteRT 2",
        "app_version": "1.0",
    }
    return ComparisonRequest(**(facts | other))
