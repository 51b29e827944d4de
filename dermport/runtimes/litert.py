"""LiteRT (once TensorFlow Lite): the runtime of Android phones and, as WebAssembly, of browsers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError, UnavailableError
from dermport.runtimes.base import Runtime
from dermport.runtimes.tflite_metadata import read_labels


class LiteRT(Runtime):
    """A ``.tflite`` file on this machine's CPU (XNNPACK, LiteRT's default delegate).

    Float32, uint8 and int8 inputs and outputs are understood; a quantised input whose scale is 1 and whose
    zero-point is 0 takes the pixels unchanged.

    Args:
        path: The file. Its input is [1, S, S, 3] of 0..255, its output [1, C] probabilities, and where there is a
            second, [1, h, w, C] the class activation map.
        threads: CPU threads; None leaves it to LiteRT (one).

    Attributes:
        name: ``"LiteRT <version>"``.
        labels: The labels that the file's own TFLite metadata carries.

    Raises:
        UnavailableError: ai-edge-litert is not installed.
        ExportError: The file is missing, no TFLite model, or not of that form.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._interpreter = _interpreter(path, threads)
        self._interpreter.allocate_tensors()
        [self._input], [self._output, *self._maps] = _image_and_results(path, self._interpreter)
        self._codes = _codes_of_pixels(self._input)
        self.input_shape = tuple(int(side) for side in self._input["shape"][1:])
        self.name = f"LiteRT {version('ai-edge-litert')}"
        self.labels = read_labels(path)
        if len(self.labels) != self._output["shape"][1]:
            raise ExportError(
                f"{path}: {len(self.labels)} labels for {self._output['shape'][1]} outputs.", remedy=_EXPORT_AGAIN
            )

    @classmethod
    def unavailable(cls) -> str:
        """Return whether it is not installed."""
        return "" if find_spec("ai_edge_litert") else "LiteRT is not installed; pip install 'dermport[phone]'"

    def close(self) -> None:
        """Free the tensors and unmap the file."""
        del self._interpreter

    def _run(self, tensors: NDArray[np.uint8], *, maps: bool) -> list[NDArray[np.float32]]:
        outputs = [self._output, *(self._maps if maps else [])]
        results = [np.empty((len(tensors), *output["shape"][1:]), np.float32) for output in outputs]
        for place, tensor in enumerate(tensors):
            self._invoke(tensor)
            for result, output in zip(results, outputs, strict=True):
                scale, zero_point = _quantisation(output)
                answer = self._interpreter.get_tensor(output["index"])[0].astype(np.float32)
                result[place] = (answer - zero_point) * scale
        return results

    def _invoke(self, tensor: NDArray[np.uint8]) -> None:
        # Values that are no pixels, float32, are what a phone with a fault feeds: the server asks what comes of them.
        codes = self._codes[tensor] if tensor.dtype == np.uint8 else _codes_of(tensor, self._input)
        self._interpreter.set_tensor(self._input["index"], codes[None])
        self._interpreter.invoke()


_EXPORT_AGAIN = "Use a file that `dermport export --to tflite` wrote."


def _interpreter(path: Path, threads: int | None) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise UnavailableError(
            f"LiteRT is not installed ({error}).", remedy="pip install 'dermport[phone]' brings it."
        ) from error
    try:
        if str(path).isprintable():
            return Interpreter(model_path=str(path), num_threads=threads)
        return Interpreter(model_content=path.read_bytes(), num_threads=threads)  # it takes only names that are UTF-8
    except ValueError as error:
        raise ExportError(f"{path} cannot be loaded by LiteRT: {error}", remedy=_EXPORT_AGAIN) from error


def _image_and_results(path: Path, interpreter: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    shapes = [[tuple(int(side) for side in tensor["shape"]) for tensor in tensors] for tensors in (inputs, outputs)]
    match shapes:
        case [[(1, height, width, 3)], [(1, _)] | [(1, _), (1, _, _, _)]] if height == width:
            return inputs, outputs
    raise ExportError(
        f"{path} is no image classifier of this project: it takes {shapes[0]} and gives {shapes[1]}, "
        "not one [1, S, S, 3] and one [1, C] (and perhaps [1, h, w, C]).",
        remedy=_EXPORT_AGAIN,
    )


def _quantisation(tensor: Mapping[str, Any]) -> tuple[float, int]:
    """Return (scale, zero-point) of value = (code - zero-point) * scale; (1, 0) of a float tensor."""
    scale, zero_point = tensor["quantization"]
    return float(scale) or 1.0, int(zero_point)


def _codes_of_pixels(tensor: Mapping[str, Any]) -> NDArray[Any]:
    """Return what the input `tensor` holds for each of the pixel values 0..255: a table in the tensor's own dtype."""
    return _codes_of(np.arange(256, dtype=np.float32), tensor)


def _codes_of(values: NDArray[Any], tensor: Mapping[str, Any]) -> NDArray[Any]:
    if tensor["dtype"] == np.float32:
        return np.asarray(values, dtype=np.float32)
    scale, zero_point = _quantisation(tensor)
    limits = np.iinfo(tensor["dtype"])
    codes = np.clip(np.rint(values / scale) + zero_point, limits.min, limits.max)
    return np.asarray(codes, dtype=tensor["dtype"])
