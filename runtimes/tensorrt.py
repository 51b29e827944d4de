"""TensorRT engines, executed on this machine's GPU through the tensor-address API of TensorRT 8.5 to 11."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import EngineMismatchError, UnavailableError
from runtimes.engine import ENGINE, REBUILD, checked_engine, load_tensorrt, this_machine

INPUT, OUTPUT = "image", "probabilities"


class TensorRTEngine:
    """A loaded ``model.engine``; batches larger than its profile's largest are run in parts.

    Args:
        folder: The folder with the engine, its ``engine.json`` and the ``model.onnx`` that it was built from.

    Raises:
        UnavailableError: TensorRT, a GPU or polygraphy (its CUDA buffers are used) is missing.
        EngineMismatchError: The sidecar does not match this machine, or TensorRT refuses the engine.
    """

    def __init__(self, folder: Path) -> None:
        trt = load_tensorrt()
        record = checked_engine(folder, this_machine())
        self.name = f"TensorRT {record.tensorrt}"
        self.labels = record.labels
        self._largest = record.batch[2]
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
        self._engine = self._runtime.deserialize_cuda_engine((folder / ENGINE).read_bytes())
        self._context: Any = None if self._engine is None else self._engine.create_execution_context()
        if self._context is None:
            raise EngineMismatchError(f"TensorRT {record.tensorrt} refuses {folder / ENGINE}.", remedy=REBUILD)
        self._stream, self._input, self._output = _buffers()

    def __enter__(self) -> TensorRTEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for owned in (self._input, self._output, self._stream):
            owned.free()
        del self._context, self._engine, self._runtime  # in this order: each needs the next one

    def predict(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities float32 [N, C], in the order of `labels`, of prepared photos uint8 [N, S, S, 3] RGB."""
        parts = [self._run(tensors[start : start + self._largest]) for start in range(0, len(tensors), self._largest)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.labels)), np.float32)

    def _run(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        images = np.ascontiguousarray(tensors, dtype=np.float32)
        result = np.empty((len(images), len(self.labels)), np.float32)
        self._input.resize(images.shape).copy_from(images, self._stream)
        self._output.resize(result.shape)
        accepted = (
            self._context.set_input_shape(INPUT, images.shape)
            and self._context.set_tensor_address(INPUT, self._input.ptr)
            and self._context.set_tensor_address(OUTPUT, self._output.ptr)
            and self._context.execute_async_v3(self._stream.ptr)
        )
        if not accepted:
            raise UnavailableError(f"{self.name} did not run a batch of shape {images.shape}; its log says why.")
        self._output.copy_to(result, self._stream)
        self._stream.synchronize()
        return result


def _buffers() -> tuple[Any, Any, Any]:
    with contextlib.redirect_stdout(sys.stderr):  # Polygraphy logs to stdout, which belongs to --json
        try:
            from polygraphy.cuda import DeviceArray, Stream
        except ImportError as error:
            raise UnavailableError("polygraphy is not installed.", remedy="pip install 'dermport[jetson]'") from error
        return Stream(), DeviceArray(), DeviceArray()
