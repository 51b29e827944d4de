"""Build and run engines with `dermport build-engine` and the runtime, on the double of one version; print the calls.

Run in a process of its own: ``python -m tests.exporters.trt_bindings.session PHOTOS.npy KIT...``, with the real
bindings on PYTHONPATH and the stub libraries on LD_LIBRARY_PATH. In place of a GPU, ONNX Runtime executes the
kit's ONNX on the very addresses that the runtime sets.
"""

from __future__ import annotations

import ctypes
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorrt as real
from numpy.typing import NDArray

from dermport.cli.build_engine import build_engine
from dermport.exporters.tensorrt.kit import read_kit
from dermport.runtimes.onnxruntime import OnnxRuntime
from dermport.runtimes.tensorrt import TensorRTEngine
from tests.exporters.trt_bindings.double import TensorRT


def _image(trt: TensorRT, size: int) -> Any:
    tensor = trt.make("ITensor")
    tensor.values.update(name="image", shape=(-1, size, size, 3), dtype=real.float32, is_shape_tensor=False)
    return tensor


def _layer(trt: TensorRT) -> Any:
    layer = trt.make("ILayer")
    layer.values.update(name="Q", type=real.LayerType.QUANTIZE, precision_is_set=False)
    return layer


def _array(address: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    pointer = ctypes.cast(address, ctypes.POINTER(ctypes.c_float * math.prod(shape)))
    return np.frombuffer(pointer.contents, np.float32).reshape(shape)


class Gpu:
    """What an execution context does: it remembers shapes and addresses, and runs ONNX Runtime between them."""

    def __init__(self, onnx: Path) -> None:
        self.runtime = OnnxRuntime(onnx, threads=1)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}

    def set_input_shape(self, _: Any, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = tuple(shape)
        return shape[0] <= 32

    def set_tensor_address(self, _: Any, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def execute(self, _: Any, __: int) -> bool:
        photos = _array(self.addresses["image"], self.shapes["image"])
        probabilities, maps = self.runtime.predict_with_maps(photos.astype(np.uint8))
        results = {"probabilities": probabilities} | ({} if maps is None else {"activation_map": maps})
        for name, result in results.items():
            _array(self.addresses[name], result.shape)[:] = result
        return True


def _answers(gpu: Gpu, kit: Path, size: int) -> dict[str, Any]:
    """Say what the native objects answer where a neutral value of the right type is not enough."""
    read = read_kit(kit)
    tensors = {spec.name: spec.shape for spec in (*read.inputs, *read.outputs)}
    return {
        "ICudaEngine.num_io_tensors": len(tensors),
        "ICudaEngine.get_tensor_name": lambda _, index: list(tensors)[index],
        "ICudaEngine.get_tensor_shape": lambda _, name: tensors[name],
        "INetworkDefinition.num_inputs": 1,
        "INetworkDefinition.num_layers": 1,
        "INetworkDefinition.get_input": lambda owner, _: _image(owner._trt, size),
        "INetworkDefinition.__len__": 1,
        "INetworkDefinition.__getitem__": lambda owner, index: [_layer(owner._trt)][index],
        "Builder.build_serialized_network": lambda owner, *_: owner._trt.make("IHostMemory", b"plan"),
        "ITimingCache.serialize": lambda owner: owner._trt.make("IHostMemory", b"timings"),
        "IExecutionContext.set_input_shape": gpu.set_input_shape,
        "IExecutionContext.set_tensor_address": gpu.set_tensor_address,
        "IExecutionContext.execute_async_v3": gpu.execute,
    }


def _run(trt: TensorRT, kit: Path, photos: NDArray[np.uint8], cache: Path) -> dict[str, Any]:
    trt.answers = _answers(Gpu(kit / "model.onnx"), kit, photos.shape[1])
    trt.calls.clear()
    build_engine(kit, workspace=64, timing_cache=cache)
    with TensorRTEngine(kit) as runtime:
        probabilities, maps = runtime.predict_with_maps(photos)
    return {
        "engine": json.loads((kit / "engine.json").read_text()),
        "runtime": runtime.name,
        "labels": runtime.labels,
        "probabilities": probabilities.tolist(),
        "maps": None if maps is None else maps.tolist(),
        "calls": [[name, [str(arg) for arg in args]] for name, args in trt.calls],
    }


def main(photos: str, *kits: str) -> None:
    """Run every kit in turn with one timing cache."""
    tensors = np.load(photos)
    cache = Path(photos).with_name(f"{real.__version__}.timing-cache")
    trt = TensorRT(real, {})
    sys.modules["tensorrt"] = trt
    sys.stdout.write(json.dumps({Path(kit).name: _run(trt, Path(kit), tensors, cache) for kit in kits}))


if __name__ == "__main__":
    main(*sys.argv[1:])
