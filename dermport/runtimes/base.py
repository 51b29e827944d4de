"""What every runtime is, to whoever executes an artifact: verify, the server, the phone stub."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

PROBABILITIES, ACTIVATION_MAP = "probabilities", "activation_map"  # the names of an artifact's outputs

Probabilities = NDArray[np.float32]
Maps = NDArray[np.float32]


class Runtime(Protocol):
    """A loaded artifact. Use it in a ``with`` block; it is not thread-safe.

    Attributes:
        name: The runtime with its version, e.g. ``"LiteRT 2.3.0"``.
        labels: The labels that the artifact itself carries, in the order of its outputs.
    """

    name: str
    labels: tuple[str, ...]

    def __enter__(self) -> Runtime: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def predict(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities float32 [N, C], in the order of `labels`, of prepared photos uint8 [N, S, S, 3] RGB."""
        ...

    def predict_with_maps(self, tensors: NDArray[np.uint8]) -> tuple[Probabilities, Maps | None]:
        """Return the same probabilities, and the class activation maps beside them.

        Maps are float32 [N, h, w, C]: what each cell of the last feature map adds to the calibrated logit of each
        label, so that their mean over the cells is the logits. None where the artifact gives none (it was exported
        without ``--maps``).
        """
        ...
