"""Runs a saved .mlpackage without Core ML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError
from dermport.runtimes.base import ACTIVATION_MAP, Runtime
from dermport.runtimes.mil.program import ImageInput, Program, read_program
from dermport.runtimes.mil.translation import onnx_from_program
from dermport.runtimes.mil.values import Array
from dermport.runtimes.onnxruntime import open_session

_PHOTOS_AT_ONCE = 8


class MilReference(Runtime):
    """The saved file's own ML Program, executed operator by operator (evidence ``mil-reference``).

    The program and its weights are read from disk, compressed weights are decompressed, each operator is translated to
    ONNX and ONNX Runtime computes it. An operator without a translation is an error.

    What the file declares is taken at its word, as Core ML does: it gets its channels in the declared order (RGB or
    BGR), with whatever scale and bias its program applies, and `labels` are the file's own.

    **Half precision.** Every operation computes in float32 from float16 operands, and its result is rounded once to
    float16 (to nearest even) wherever the program says that the variable is float16; float32 parts stay float32. So
    stored weights, activations, overflow to infinity and the loss in every operation are those of float16. What is
    *not* emulated is how Core ML computes inside one operation: the order and width of accumulation in a convolution
    or mean, and approximations of exp in softmax, which differ between CPU, GPU and Neural Engine; nor does Core ML
    promise to keep to float16 (on a CPU it may use float32).

    Args:
        path: The .mlpackage.
        threads: Threads per operator; None leaves it to ONNX Runtime (one per core).

    Attributes:
        name: The runtime with its version.
        labels: The class labels that the file carries, in the order of its probabilities.
        operators: Every operation of the file by type and precision, constants left out.

    Raises:
        ExportError: The file is missing, damaged, or no image classifier.
        UnknownOperatorError: It has an operator without a translation.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        import onnxruntime

        program, self._image = read_program(path)
        self.labels = program.labels
        self.input_shape = (self._image.height, self._image.width, 3)
        self.operators = program.counts
        self.name = f"mil-reference on ONNX Runtime {onnxruntime.__version__}"
        self._gives_map = ACTIVATION_MAP in program.outputs
        wanted = [program.classifier.outputs[1], *([ACTIVATION_MAP] if self._gives_map else [])]
        self._session = ProgramSession(program, self._image, wanted, threads)

    @classmethod
    def unavailable(cls) -> str:
        """Return an empty string: it runs anywhere."""
        return ""

    def close(self) -> None:
        """Free the session."""
        del self._session

    def _check(self, tensors: NDArray[np.uint8]) -> None:
        self._image.check(tensors)

    def _run(self, tensors: NDArray[np.uint8], *, maps: bool) -> list[NDArray[np.float32]]:
        results = list(self._session.batches(tensors))
        rows = [self._checked(probabilities) for probabilities, *_ in results]
        probabilities = np.concatenate(rows) if rows else np.empty((0, len(self.labels)), np.float32)
        grids = [grid for _, *found in results for grid in found]
        return [probabilities, *([np.concatenate(grids).astype(np.float32, copy=False)] if grids else [])]

    def _checked(self, probabilities: Array) -> NDArray[np.float32]:
        if probabilities.shape[-1] != len(self.labels):
            raise ExportError(
                f"The model gives {probabilities.shape[-1]} probabilities for {len(self.labels)} labels.",
                remedy="Export it again.",
            )
        return probabilities.reshape(-1, len(self.labels))


class ProgramSession:
    """Computes variables of a program for many photos.

    Args:
        program: The program.
        image: Its image input.
        outputs: The MIL variables to compute.
        threads: As of :class:`MilReference`.

    Raises:
        UnknownOperatorError: The program has an operator without a translation.
        ExportError: There is no such variable, or an operator is used in a way that has no translation.
    """

    def __init__(self, program: Program, image: ImageInput, outputs: Sequence[str], threads: int | None = None) -> None:
        translation = onnx_from_program(program, outputs)
        self._image = image
        self._step = _PHOTOS_AT_ONCE if translation.by_row else 1
        self._session = open_session(translation.model, threads)

    def batches(self, tensors: NDArray[np.uint8]) -> Iterator[list[Array]]:
        """Yield the outputs, in order, for a few photos at a time; photos are uint8 [N, H, W, 3] RGB.

        Raises:
            ExportError: The photos have another type or size than the program takes.
        """
        self._image.check(tensors)
        # Core ML hands over the channels in the order that the file declares.
        ordered = tensors if self._image.layout == "RGB" else tensors[..., ::-1]
        for start in range(0, len(ordered), self._step):
            planes = ordered[start : start + self._step].transpose(0, 3, 1, 2).astype(np.float32)
            yield list(self._session.run(None, {self._image.name: planes}))
