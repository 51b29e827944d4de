"""Runs a saved .mlpackage without Core ML."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError
from dermport.runtimes.base import ACTIVATION_MAP
from dermport.runtimes.mil.program import read_program
from dermport.runtimes.mil.session import Session
from dermport.runtimes.mil.values import Array


class MilReference:
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

    Attributes:
        name: The runtime with its version.
        labels: The class labels that the file carries, in the order of its probabilities.
        operators: Every operation of the file by type and precision, constants left out.

    Raises:
        ExportError: The file is missing, damaged, or no image classifier.
        UnknownOperatorError: It has an operator without a translation.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        program, image = read_program(path)
        self.labels = program.labels
        self.operators = program.counts
        self.name = f"mil-reference on ONNX Runtime {onnxruntime.__version__}"
        self._gives_map = ACTIVATION_MAP in program.outputs
        wanted = [program.classifier.outputs[1], *([ACTIVATION_MAP] if self._gives_map else [])]
        self._session = Session(program, image, wanted)

    def __enter__(self) -> MilReference:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._session

    def predict(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities float32 [N, C], in the order of `labels`, of prepared photos uint8 [N, H, W, 3] RGB.

        Raises:
            ExportError: The photos have another size than the file takes, or it gives other than one probability per
                label.
        """
        return self.predict_with_maps(tensors)[0]

    def predict_with_maps(self, tensors: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return probabilities and class activation maps float32 [N, h, w, C], or None where the file gives none.

        Raises:
            ExportError: As :meth:`predict`.
        """
        results = list(self._session.batches(tensors))
        rows = [self._checked(probabilities) for probabilities, *_ in results]
        probabilities = np.concatenate(rows) if rows else np.empty((0, len(self.labels)), np.float32)
        maps = [grid for _, *grids in results for grid in grids]
        return probabilities, np.concatenate(maps).astype(np.float32, copy=False) if maps else None

    def _checked(self, probabilities: Array) -> NDArray[np.float32]:
        if probabilities.shape[-1] != len(self.labels):
            raise ExportError(
                f"The model gives {probabilities.shape[-1]} probabilities for {len(self.labels)} labels.",
                remedy="Export it again.",
            )
        return probabilities.reshape(-1, len(self.labels))
