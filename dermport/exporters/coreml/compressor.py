"""One uncompressed package, made smaller in several ways; what they share is measured once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError
from dermport.exporters.coreml.bias import correct_biases
from dermport.exporters.coreml.layers import input_statistics, layers_of
from dermport.exporters.coreml.mixed import chosen_bits, measured
from dermport.exporters.coreml.recipes import PackageCompression, Storage, is_large, storages
from dermport.exporters.coreml.weights import compressed, stored_weights
from dermport.exporters.rounding import InputStatistics
from dermport.runtimes.mil.program import read_program


class Compressor:
    """Compresses a package in a recipe's way.

    Args:
        original: The uncompressed .mlpackage.
        photos: Calibration photos, uint8 [N, S, S, 3], or None.
    """

    def __init__(self, original: Path, photos: NDArray[np.uint8] | None) -> None:
        self._original = original
        self._photos = photos
        self._layers = layers_of(read_program(original)[0])

    @cached_property
    def _statistics(self) -> Mapping[str, InputStatistics]:
        if self._photos is None:
            return {}
        correlated = {layer.source for layer in self._layers if is_large(layer) and layer.pointwise}
        return input_statistics(self._original, self._photos, correlated)

    def compressed(self, recipe: PackageCompression, scratch: Path) -> Any:
        """Return an ``MLModel``, not yet saved; `scratch` is a folder that does not exist.

        Raises:
            ExportError: The recipe chooses bits by photos, and there are none.
        """
        plan = storages(self._layers, self._large(recipe))
        return compressed(self._original, stored_weights(self._layers, plan, self._statistics), plan, scratch)

    def correct(self, out: Path) -> None:
        """Take the mean shifts of a saved package's layers back in its biases, where there are photos."""
        if self._statistics:
            correct_biases(out, self._original, self._statistics)

    def _large(self, recipe: PackageCompression) -> Mapping[str, Storage] | Storage:
        if not recipe.mean_bits:
            return recipe.large
        if self._photos is None:
            raise ExportError(
                "Mixed precision is chosen by calibration photos, and there are none.",
                remedy="Train the bundle again; it keeps some.",
            )
        large = [layer for layer in self._layers if is_large(layer)]
        bits = chosen_bits(measured(self._original, large, self._statistics, self._photos), recipe.mean_bits)
        return {name: Storage("palette", count) for name, count in bits.items()}
