"""The original: ``model.keras`` of a bundle, loaded once its sha256 is checked."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.store import Bundle
from dermport.errors import BundleError
from dermport.exporters.contract import Source

if TYPE_CHECKING:
    import keras

CALIBRATION_FILE = "calibration/tensors.npy"


def load_source(bundle: Bundle) -> Source:
    """Return what every target converts from.

    Raises:
        IntegrityError: The model's bytes are not the recorded ones.
        BundleError: Keras cannot read the model.
    """
    return Source(load_model(bundle), bundle.manifest, bundle.model_sha256, cache(partial(read_calibration, bundle)))


def load_model(bundle: Bundle) -> keras.Model:
    """Load the bundle's Keras model for inference."""
    path = bundle.file(bundle.manifest.model.file)
    import keras

    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, OSError) as error:
        raise BundleError(f"{path} cannot be read by Keras {keras.__version__}: {error}") from error


def read_calibration(bundle: Bundle) -> NDArray[np.uint8]:
    """Return the bundle's calibration photos: training photos, prepared, uint8 [N, S, S, 3]."""
    tensors: NDArray[np.uint8] = np.load(bundle.file(CALIBRATION_FILE), allow_pickle=False)
    return tensors
