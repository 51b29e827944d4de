"""TensorRT engines, executed on this machine's GPU through the tensor-address API of TensorRT 8.5 to 11."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import EngineMismatchError, UnavailableError
from dermport.runtimes.base import ACTIVATION_MAP, PROBABILITIES
from dermport.runtimes.engine import ENGINE, REBUILD, checked_engine, load_tensorrt, this_machine

INPUT = "image"


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
        self._shapes = self._result_shapes()
        self._stream, self._input, *buffers = _buffers(1 + len(self._shapes))
        self._outputs = dict(zip(self._shapes, buffers, strict=True))

    def __enter__(self) -> TensorRTEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for owned in (self._input, *self._outputs.values(), self._stream):
            owned.free()
        del self._context, self._engine, self._runtime  # in this order: each needs the next one

    def predict(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities float32 [N, C], in the order of `labels`, of prepared photos uint8 [N, S, S, 3] RGB."""
        return self.predict_with_maps(tensors)[0]

    def predict_with_maps(self, tensors: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return probabilities and class activation maps float32 [N, h, w, C], or None where the engine gives none."""
        results = {name: np.empty((len(tensors), *shape), np.float32) for name, shape in self._shapes.items()}
        for start in range(0, len(tensors), self._largest):
            part = slice(start, start + self._largest)
            self._run(tensors[part], {name: result[part] for name, result in results.items()})
        return results[PROBABILITIES], results.get(ACTIVATION_MAP)

    def _run(self, tensors: NDArray[np.uint8], results: Mapping[str, NDArray[np.float32]]) -> None:
        images = np.ascontiguousarray(tensors, dtype=np.float32)
        self._input.resize(images.shape).copy_from(images, self._stream)
        for name, result in results.items():
            self._outputs[name].resize(result.shape)
        addresses = {INPUT: self._input.ptr} | {name: self._outputs[name].ptr for name in results}
        accepted = (
            self._context.set_input_shape(INPUT, images.shape)
            and all(self._context.set_tensor_address(name, address) for name, address in addresses.items())
            and self._context.execute_async_v3(self._stream.ptr)
        )
        if not accepted:
            raise UnavailableError(f"{self.name} did not run a batch of shape {images.shape}; its log says why.")
        for name, result in results.items():
            self._outputs[name].copy_to(result, self._stream)
        self._stream.synchronize()

    def _result_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return what the engine gives for each photo, by name: an engine runs only with all of them bound."""
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        return {name: tuple(self._engine.get_tensor_shape(name))[1:] for name in names if name != INPUT}


def _buffers(count: int) -> tuple[Any, ...]:
    with contextlib.redirect_stdout(sys.stderr):  # Polygraphy logs to stdout, which belongs to --json
        try:
            from polygraphy.cuda import DeviceArray, Stream
        except ImportError as error:
            raise UnavailableError("polygraphy is not installed.", remedy="pip install 'dermport[jetson]'") from error
        return Stream(), *(DeviceArray() for _ in range(count))
