"""What every runtime is, to whoever executes an artifact: verify, the server, the phone stub."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError

if TYPE_CHECKING:
    from typing_extensions import Self

PROBABILITIES, ACTIVATION_MAP = "probabilities", "activation_map"  # the names of an artifact's outputs

Probabilities = NDArray[np.float32]
Maps = NDArray[np.float32]


class Runtime(ABC):
    """A loaded artifact. Use it in a ``with`` block; it is not thread-safe.

    A runtime fills in the constructor, :meth:`unavailable`, :meth:`close` and :meth:`_run`, and is a line in
    :mod:`dermport.runtimes.registry`.

    Attributes:
        name: The runtime with its version, e.g. ``"LiteRT 2.3.0"``.
        labels: The labels that the artifact itself carries, in the order of its outputs.
        input_shape: What a prepared photo has to be: (S, S, 3).
    """

    name: str
    labels: tuple[str, ...]
    input_shape: tuple[int, ...]

    @abstractmethod
    def __init__(self, artifact: Path, threads: int | None = None) -> None: ...

    @classmethod
    def open(cls, artifact: Path, threads: int | None = None) -> Self:
        """Load an exported artifact, whose sidecar files lie beside it.

        Args:
            artifact: The file or folder.
            threads: CPU threads, where the runtime leaves a choice; None is its own default.

        Raises:
            UnavailableError: This machine cannot run it.
            ExportError: It is missing, damaged, or no image classifier of this project.
        """
        return cls(artifact, threads)

    @classmethod
    @abstractmethod
    def unavailable(cls) -> str:
        """Return why this machine cannot run such artifacts, or an empty string where it can."""

    @abstractmethod
    def close(self) -> None:
        """Free what the artifact takes."""

    @abstractmethod
    def _run(self, tensors: NDArray[np.uint8], *, maps: bool) -> list[NDArray[np.float32]]:
        """Return the probabilities, and after them the maps where the artifact has and `maps` wants them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def predict(self, tensors: NDArray[np.uint8]) -> Probabilities:
        """Return probabilities float32 [N, C], in the order of `labels`, of prepared photos uint8 [N, S, S, 3] RGB.

        Raises:
            ExportError: The photos are not of the size that the artifact takes.
        """
        self._check(tensors)
        return self._run(tensors, maps=False)[0]

    def predict_with_maps(self, tensors: NDArray[np.uint8]) -> tuple[Probabilities, Maps | None]:
        """Return the same probabilities, and the class activation maps beside them.

        Maps are float32 [N, h, w, C]: what each cell of the last feature map adds to the calibrated logit of each
        label, so that their mean over the cells is the logits. None where the artifact gives none (it was exported
        without ``--maps``).

        Raises:
            ExportError: The photos are not of the size that the artifact takes.
        """
        self._check(tensors)
        probabilities, *maps = self._run(tensors, maps=True)
        return probabilities, maps[0] if maps else None

    def _check(self, tensors: NDArray[np.uint8]) -> None:
        if tensors.shape[1:] != self.input_shape:
            raise ExportError(
                f"The model takes photos of {self.input_shape}, not of {tensors.shape[1:]}.",
                remedy="Prepare the photos at the bundle's input size.",
            )
