"""ONNX files, run by ONNX Runtime."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ModelError
from dermport.importing.original import FrameworkVersion, Original, OriginalHints
from dermport.importing.rebuild.graph import read_graph
from dermport.importing.scaling import SCALINGS
from dermport.runtimes.onnxruntime import open_session

if TYPE_CHECKING:
    import onnx


class OnnxOriginal(Original):
    """A float ONNX graph of opset 9 or newer, [N, H, W, 3] or [N, 3, H, W]."""

    format = "onnx"

    def __init__(self, path: Path) -> None:
        self._model = load_onnx(path)
        super().__init__(path, read_graph(self._model, path.name).shape)

    @property
    def framework(self) -> FrameworkVersion:
        """ONNX Runtime."""
        import onnxruntime

        return FrameworkVersion("onnxruntime", onnxruntime.__version__)

    @cached_property
    def _session(self) -> Any:
        try:
            return open_session(self._model.SerializeToString())
        except Exception as error:  # ONNX Runtime raises errors of many types
            raise ModelError(f"ONNX Runtime cannot load {self.path}: {error}") from error

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return its answers, [N, C]."""
        return run_session(self._session, self.arranged(images), self.shape[0])

    def onnx(self) -> onnx.ModelProto:
        """Return it as it is."""
        return self._model

    def hints(self) -> OriginalHints:
        """Read what its metadata says, as Ultralytics and dermport write it."""
        found = {entry.key: entry.value for entry in self._model.metadata_props}
        return OriginalHints(
            size=_size(found.get("imgsz", "")),
            scaling=SCALINGS["0..1"] if "ultralytics" in found.get("author", "").lower() else None,
            labels=_labels(found),
            licence=found.get("license", ""),
            source="the ONNX metadata",
        )


def run_session(session: Any, images: NDArray[np.float32], batch: int | None) -> NDArray[np.float32]:
    """Return a session's first output for images as it takes them; one by one where its batch is fixed."""
    [image, *_] = session.get_inputs()
    kind = {"tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(uint8)": np.uint8}
    ready = images.astype(kind.get(image.type, np.float32))
    step = batch or 32
    parts = []
    for start in range(0, len(ready), step):
        part = ready[start : start + step]
        filled = np.concatenate([part, np.repeat(part[-1:], step - len(part), axis=0)]) if batch else part
        parts.append(session.run(None, {image.name: filled})[0].astype(np.float32)[: len(part)])
    answers = np.concatenate(parts)
    return answers.reshape(len(answers), -1)


def load_onnx(path: Path) -> onnx.ModelProto:
    """Read an ONNX file.

    Raises:
        ModelError: It is none.
    """
    import onnx

    try:
        return onnx.load(str(path))
    except Exception as error:  # protobuf's own errors, and files with missing external data
        raise ModelError(f"{path} cannot be read as ONNX: {error}") from error


def _size(text: str) -> int | None:
    """Return the side of ``[224, 224]``."""
    sizes = {int(number) for number in re.findall(r"\d+", text)}
    return sizes.pop() if len(sizes) == 1 else None


def _labels(metadata: dict[str, str]) -> tuple[str, ...]:
    """Return ``names`` (``{0: 'mel', 1: 'nv'}``, Ultralytics) or ``labels`` (a JSON list, dermport)."""
    pairs = re.findall(r"(\d+):\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")", metadata.get("names", ""))
    if pairs:
        return tuple(single or double for _, single, double in sorted(pairs, key=lambda pair: int(pair[0])))
    try:
        listed = json.loads(metadata.get("labels", "[]"))
    except ValueError:
        return ()
    return tuple(map(str, listed)) if isinstance(listed, list) else ()
