"""TensorRT engines, executed on this machine's GPU through the tensor-address API of TensorRT 8.5 to 11."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import EngineMismatchError, UnavailableError
from dermport.runtimes.base import ACTIVATION_MAP, PROBABILITIES, Runtime
from dermport.runtimes.engine import ENGINE, REBUILD, checked_engine, load_tensorrt, this_machine

INPUT = "image"


class TensorRTEngine(Runtime):
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
        self.input_shape = tuple(self._engine.get_tensor_shape(INPUT))[1:]
        self._shapes = self._result_shapes()
        self._stream, self._input, *buffers = _buffers(1 + len(self._shapes))
        self._outputs = dict(zip(self._shapes, buffers, strict=True))

    @classmethod
    def open(cls, artifact: Path, threads: int | None = None) -> TensorRTEngine:
        """Load the engine beside a kit's ``model.onnx``; it has no threads."""
        return cls(artifact.parent)

    @classmethod
    def unavailable(cls) -> str:
        """Return what lacks here: TensorRT or a GPU."""
        try:
            this_machine()
        except UnavailableError as error:
            return error.message
        return ""

    def close(self) -> None:
        """Free the buffers and the engine."""
        for owned in (self._input, *self._outputs.values(), self._stream):
            owned.free()
        del self._context, self._engine, self._runtime  # in this order: each needs the next one

    def _run(self, tensors: NDArray[np.uint8], *, maps: bool) -> list[NDArray[np.float32]]:
        results = {name: np.empty((len(tensors), *shape), np.float32) for name, shape in self._shapes.items()}
        for start in range(0, len(tensors), self._largest):
            part = slice(start, start + self._largest)
            self._run_batch(tensors[part], {name: result[part] for name, result in results.items()})
        return [results[name] for name in (PROBABILITIES, ACTIVATION_MAP) if name in results]

    def _run_batch(self, tensors: NDArray[np.uint8], results: Mapping[str, NDArray[np.float32]]) -> None:
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
