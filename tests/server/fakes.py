"""A served bundle without any inference library: a runtime that remembers the golden set's answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from flask import Flask
from numpy.typing import NDArray

from dermport.bundle.export_record import ExportRecord, SourceRef
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.store import RECORD, Bundle, Export, file_entries, write_record
from dermport.runtimes.base import Runtime
from dermport.server.app import create_app
from dermport.server.config import ServerConfig, StorageConfig
from dermport.server.serving.runtimes import ServingCandidate


@dataclass
class RecallRuntime:
    """Answers golden tensors as the original did, and any other with equal probabilities."""

    name: str
    labels: tuple[str, ...]
    answers: dict[str, tuple[float, ...]]
    closed: bool = False
    busy: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> RecallRuntime:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True

    def predict(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert self.busy.acquire(blocking=False), "two threads are in the runtime at once"
        equal = (1 / len(self.labels),) * len(self.labels)
        rows = [self.answers.get(sha256_bytes(tensor.tobytes()), equal) for tensor in tensors]
        self.busy.release()
        return np.asarray(rows, np.float32)


def recall(bundle: Bundle, name: str = "Recall 1.0") -> RecallRuntime:
    golden = bundle.golden().index
    return RecallRuntime(
        name, bundle.manifest.task.ids, {photo.input_sha256: photo.probabilities for photo in golden.photos}
    )


def add_export(bundle: Bundle, target: str = "fake", precision: str = "fp32", content: bytes = b"weights") -> Export:
    """Record an artifact of any content below the bundle."""
    return add_files(bundle, target, precision, ("model.bin",), content)


def add_files(bundle: Bundle, target: str, precision: str, files: tuple[str, ...], content: bytes) -> Export:
    """Record an artifact of several files, all of the same content; the first one's top folder is the artifact."""
    folder = bundle.export_folder(target, precision)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    manifest = bundle.manifest
    record = ExportRecord(
        target=target,
        precision=precision,
        bundle=SourceRef(name=manifest.name, version=manifest.version, model_sha256=bundle.model_sha256),
        preprocessing=manifest.preprocessing.id,
        labels=manifest.task.ids,
        artifact=files[0].split("/")[0],
        artifact_bytes=len(content),
        artifact_sha256=sha256_bytes(content),
        size_ratio=1.0,
        recipe={},
        policy=precision,
        inputs=(),
        outputs=(),
        operators=(),
        tools={},
        key="0" * 64,
        seconds=0.0,
        created="2026-01-01T00:00:00+00:00",
        files=file_entries(folder, exclude=(RECORD,)),
    )
    write_record(folder, record)
    return bundle.export(target, precision)


def candidate(load: Callable[[Export, int | None], Runtime], name: str = "fake") -> ServingCandidate:
    return ServingCandidate(name, name.title(), name, ("fp32", "int8"), "batcher", load)


def config_of(bundle: Bundle, **options: Any) -> ServerConfig:
    """Return a configuration that serves `bundle` and keeps its state beside it."""
    return ServerConfig((bundle.path,), StorageConfig(bundle.path.parent / "state"), **options)


def recall_app(bundle: Bundle, runtime: Runtime | None = None, **options: Any) -> Flask:
    """Return an app that serves `bundle` with a fake runtime."""
    if not bundle.export_folder("fake", "fp32").exists():
        add_export(bundle)
    chosen = runtime or recall(bundle)
    return create_app(config_of(bundle, **options), (candidate(lambda _export, _threads: chosen),))


def golden_photo(bundle: Bundle, index: int = 0) -> Path:
    return bundle.path / "golden" / bundle.golden().index.photos[index].photo
