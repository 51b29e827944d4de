"""Core ML itself, on a Mac."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermport.errors import UnavailableError
from dermport.runtimes.base import ACTIVATION_MAP, Runtime
from dermport.runtimes.mil.program import read_program
from dermport.runtimes.quiet import import_coremltools, quiet


class CoreMLRuntime(Runtime):
    """A saved .mlpackage, run by Core ML (evidence ``device``).

    Source: https://apple.github.io/coremltools/docs-guides/source/model-prediction.html

    Args:
        path: The .mlpackage.
        threads: Core ML chooses its own.

    Attributes:
        name: The runtime with its version.
        labels: The class labels that the file carries, in the order of its probabilities.

    Raises:
        UnavailableError: This machine has no Core ML.
        ExportError: The file is missing, damaged, or no image classifier.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        if reason := self.unavailable():
            raise UnavailableError(f"{path} cannot be run: {reason}.", remedy="Run the same command on a Mac.")
        program, self._image = read_program(path)
        self.labels = program.labels
        self.input_shape = (self._image.height, self._image.width, 3)
        ct = import_coremltools()
        with quiet():
            self._model = ct.models.MLModel(str(path), compute_units=ct.ComputeUnit.ALL)
        self._probabilities = self._model.get_spec().description.predictedProbabilitiesName
        self.name = f"Core ML, coremltools {ct.__version__}"

    @classmethod
    def unavailable(cls) -> str:
        """Return why Core ML cannot run here, or an empty string where it can."""
        if sys.platform != "darwin":
            return f"Core ML runs on macOS only, and this is {sys.platform}"
        try:
            import_coremltools()
            from coremltools import libcoremlpython  # noqa: F401
        except ImportError as error:
            return f"coremltools has no Core ML bridge here: {error}"
        return ""

    def close(self) -> None:
        """Free the model."""
        del self._model

    def _check(self, tensors: NDArray[np.uint8]) -> None:
        self._image.check(tensors)

    def _run(self, tensors: NDArray[np.uint8], *, maps: bool) -> list[NDArray[np.float32]]:
        answers = [self._model.predict({self._image.name: Image.fromarray(photo)}) for photo in tensors]  # always RGB
        rows = [[answer[self._probabilities][label] for label in self.labels] for answer in answers]
        grids = [answer[ACTIVATION_MAP] for answer in answers if ACTIVATION_MAP in answer]
        probabilities = np.array(rows, np.float32).reshape(len(rows), len(self.labels))
        return [probabilities, *([np.concatenate(grids).astype(np.float32)] if grids else [])]
