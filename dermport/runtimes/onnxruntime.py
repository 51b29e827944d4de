"""ONNX artifacts, executed by ONNX Runtime on the CPU."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError, UnavailableError
from dermport.runtimes.base import Runtime


def session_options(threads: int | None = None) -> Any:
    """Return ``onnxruntime.SessionOptions`` for this project's models: one operator after the other, quietly.

    The memory arena and its pattern stay on: without the arena, a process that serves the 192-pixel float32 model
    takes more memory (127 MB instead of 99) and as much time or more, because every run asks the system anew.

    Args:
        threads: Threads per operator; None leaves it to ONNX Runtime (one per core).
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads or 0
    if threads == 1:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def open_session(model: Path | bytes, threads: int | None = None) -> Any:
    """Return an ``onnxruntime.InferenceSession`` on the CPU for a file or a serialised model.

    Args:
        model: The ONNX file, or its bytes.
        threads: As for :func:`session_options`.
    """
    import onnxruntime as ort

    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, session_options(threads), providers=["CPUExecutionProvider"])


class OnnxRuntime(Runtime):
    """A loaded ``model.onnx``: input `image` float32 [N, S, S, 3] of 0..255, output `probabilities` float32 [N, C].

    A second output, where the file has one, is `activation_map` float32 [N, h, w, C].

    Args:
        path: The ONNX file.
        threads: Threads per operator; None leaves it to ONNX Runtime (one per core).

    Raises:
        UnavailableError: onnxruntime is not installed.
        ExportError: The file is no ONNX model that ONNX Runtime can execute, or carries no labels.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise UnavailableError(
                "ONNX Runtime is not installed.", remedy="pip install 'dermport[server]' or onnxruntime."
            ) from error
        try:
            self._session = open_session(path, threads)
            self.labels = _labels(self._session.get_modelmeta().custom_metadata_map)
        except Exception as error:  # ONNX Runtime raises errors of a dozen types, none with a common base
            raise ExportError(f"{path} cannot be executed: {error}.", remedy="Run `dermport export` again.") from error
        self.name = f"ONNX Runtime {ort.__version__}"
        self._input = self._session.get_inputs()[0]
        self.input_shape = tuple(self._input.shape[1:])
        self._outputs = self._session.get_outputs()

    @classmethod
    def unavailable(cls) -> str:
        """Return whether it is not installed."""
        return "" if find_spec("onnxruntime") else "ONNX Runtime is not installed; pip install 'dermport[server]'"

    def close(self) -> None:
        """Free the session."""
        del self._session

    def _run(self, tensors: NDArray[np.uint8], *, maps: bool) -> list[NDArray[np.float32]]:
        outputs = self._outputs if maps else self._outputs[:1]
        if not len(tensors):
            return [np.empty((0, *output.shape[1:]), np.float32) for output in outputs]
        results = self._session.run([output.name for output in outputs], {self._input.name: tensors.astype(np.float32)})
        return [np.asarray(result, dtype=np.float32) for result in results]


def _labels(metadata: dict[str, str]) -> tuple[str, ...]:
    if "labels" not in metadata:
        raise ValueError("its metadata has no labels")
    return tuple(json.loads(metadata["labels"]))
