"""An ML Program in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dermport.runtimes.mil.program import ImageInput, Program
from dermport.runtimes.mil.translation import onnx_from_program
from dermport.runtimes.mil.values import Array
from dermport.runtimes.onnxruntime import open_session

_PHOTOS_AT_ONCE = 16


class Session:
    """Computes variables of a program for many photos.

    Args:
        program: The program.
        image: Its image input.
        outputs: The MIL variables to compute.

    Raises:
        UnknownOperatorError: The program has an operator without a translation.
        ExportError: There is no such variable, or an operator is used in a way that has no translation.
    """

    def __init__(self, program: Program, image: ImageInput, outputs: Sequence[str]) -> None:
        translation = onnx_from_program(program, outputs)
        self._image = image
        self._step = _PHOTOS_AT_ONCE if translation.by_row else 1
        self._session = open_session(translation.model)

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
