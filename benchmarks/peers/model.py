"""The work that every server does for a photo: the bundle's own preprocessing, one single-threaded runtime, a label."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from dermport.bundle.manifest import Preprocessing
from dermport.bundle.notice import NOTICE
from dermport.bundle.prep import Prepared, prepare, prepared
from dermport.bundle.probabilities import answer
from dermport.bundle.store import Bundle
from dermport.runtimes.base import Runtime

Form = Literal["photo", "draft", "prepared"]
"""A photo to decode exactly; one to decode at a fraction of its size; a PNG of exactly the model's input."""
_PREFIX = "DERMPORT_BENCHMARK_"


@dataclass(frozen=True)
class Settings:
    """What a peer's server is told, in environment variables: its worker processes see them too.

    Attributes:
        bundle: Folder of the bundle.
        precision: Which of the bundle's ONNX exports to serve.
        port: Where to listen, on 127.0.0.1.
        workers: Worker processes.
    """

    bundle: Path
    precision: str
    port: int
    workers: int

    @classmethod
    def read(cls) -> Settings:
        """Return what :meth:`environment` has said."""
        bundle, precision, port, workers = (os.environ[_PREFIX + name] for name in _names())
        return cls(Path(bundle), precision, int(port), int(workers))

    def environment(self) -> dict[str, str]:
        """Return the variables that say it."""
        return {_PREFIX + name: str(getattr(self, name.lower())) for name in _names()}

    def model(self) -> Model:
        """Load the model."""
        return Model(self.bundle, "onnxruntime", self.precision)


class Model:
    """A bundle's export in a single-threaded runtime. One thread at a time may use it.

    Args:
        bundle: Folder of the bundle.
        runtime: ``onnxruntime`` or ``litert``.
        precision: The precision of the export.
    """

    def __init__(self, bundle: Path, runtime: str, precision: str) -> None:
        opened = Bundle.open(bundle)
        self._manifest = opened.manifest
        self._spec = opened.manifest.preprocessing
        self._runtime = _LOADERS[runtime](opened, precision)
        self._served = {
            "name": opened.manifest.name,
            "version": opened.manifest.version,
            "sha256": opened.model_sha256,
            "artifact_sha256": opened.export(_TARGETS[runtime], precision).record.artifact_sha256,
            "target": _TARGETS[runtime],
            "precision": precision,
        }

    def answer(self, photo: bytes, form: Form = "photo") -> dict[str, Any]:
        """Return label and probabilities of a photo that is to be prepared in the way that its form names."""
        tensor = _PREPARE[form](photo, self._spec).tensor
        values = self._runtime.predict(tensor[None])[0].tolist()
        probabilities = dict(zip(self._runtime.labels, values, strict=True))
        return {"label": max(probabilities, key=probabilities.__getitem__), "probabilities": probabilities}

    def whole_answer(self, photo: bytes) -> dict[str, Any]:
        """Return all that dermport's own server says of a photo, as a user would write it down."""
        began = time.perf_counter()
        prepared = prepare(photo, self._spec)
        ready = time.perf_counter()
        values = self._runtime.predict(prepared.tensor[None])[0]
        done = time.perf_counter()
        said = answer(self._manifest, values)
        rule = self._manifest.known_decision
        return {
            "label": said.label,
            "probabilities": said.probabilities,
            "decision": {
                "name": rule.name,
                "positive": said.positive,
                "score": said.score,
                "threshold": rule.threshold,
                "answer": "decision",
                "reasons": [],
            },
            "model": self._served,
            "runtime": {"name": "onnxruntime", "reason": "as told"},
            "preprocessing": self._spec.id,
            "input_sha256": prepared.input_sha256,
            "photo": {
                "width": prepared.width,
                "height": prepared.height,
                "orientation": prepared.orientation,
                "bytes": len(photo),
                "form": "photo",
            },
            "milliseconds": {
                "prepare": 1000 * (ready - began),
                "infer": 1000 * (done - ready),
                "total": 1000 * (done - began),
            },
            "notice": NOTICE,
            "request_id": uuid.uuid4().hex,
        }


def _names() -> tuple[str, ...]:
    return ("BUNDLE", "PRECISION", "PORT", "WORKERS")


def _onnxruntime(bundle: Bundle, precision: str) -> Runtime:
    from dermport.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime(bundle.export("onnx", precision).checked(), threads=1)


def _litert(bundle: Bundle, precision: str) -> Runtime:
    from dermport.runtimes.litert import LiteRT

    return LiteRT(bundle.export("tflite", precision).checked(), threads=1)


_PREPARE: dict[Form, Callable[[bytes, Preprocessing], Prepared]] = {
    "photo": prepare,
    "draft": partial(prepare, draft=True),
    "prepared": prepared,
}
_TARGETS = {"onnxruntime": "onnx", "litert": "tflite"}
_LOADERS = {"onnxruntime": _onnxruntime, "litert": _litert}
