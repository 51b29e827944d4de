"""Spoils model inputs on purpose, in five severities.

After Hendrycks and Dietterich 2019, "Benchmarking neural network robustness to common corruptions"
(https://arxiv.org/abs/1903.12261): like theirs, these act on the model's input, so that a severity means the same for
photos of any size. Noise and JPEG have their constants; blur, exposure and colour cast are ours, as photos of skin meet
them. The same seed spoils a photo in the same way.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Tensor = NDArray[np.uint8]
SEVERITIES = (1, 2, 3, 4, 5)
_NOISE = (0.08, 0.12, 0.18, 0.26, 0.38)  # standard deviation, of 0..1
_BLUR = (0.005, 0.01, 0.015, 0.02, 0.03)  # Gaussian's standard deviation, as a share of the side
_JPEG = (25, 18, 15, 10, 7)  # quality
_DARK = (0.8, 0.65, 0.5, 0.35, 0.2)  # factor on every level
_BRIGHT = (1.15, 1.3, 1.5, 1.75, 2.0)
_CAST = (0.05, 0.1, 0.15, 0.2, 0.3)  # more red, as much less blue: a lamp's light


def _noise(tensor: Tensor, severity: int, random: np.random.Generator) -> Tensor:
    return _levels(tensor + random.normal(0, 255 * _NOISE[severity - 1], tensor.shape))


def _blur(tensor: Tensor, severity: int, _: np.random.Generator) -> Tensor:
    blurred = ImageFilter.GaussianBlur(_BLUR[severity - 1] * len(tensor))
    return np.asarray(Image.fromarray(tensor).filter(blurred))


def _jpeg(tensor: Tensor, severity: int, _: np.random.Generator) -> Tensor:
    file = io.BytesIO()
    Image.fromarray(tensor).save(file, "JPEG", quality=_JPEG[severity - 1])
    return np.asarray(Image.open(file))


def _dark(tensor: Tensor, severity: int, _: np.random.Generator) -> Tensor:
    return _levels(tensor * _DARK[severity - 1])


def _bright(tensor: Tensor, severity: int, _: np.random.Generator) -> Tensor:
    return _levels(tensor * _BRIGHT[severity - 1])


def _cast(tensor: Tensor, severity: int, _: np.random.Generator) -> Tensor:
    share = _CAST[severity - 1]
    return _levels(tensor * np.array((1 + share, 1, 1 - share)))


def _levels(values: NDArray[np.floating]) -> Tensor:
    return np.asarray(values.round().clip(0, 255), np.uint8)


CORRUPTIONS: dict[str, Callable[[Tensor, int, np.random.Generator], Tensor]] = {
    "noise": _noise,
    "blur": _blur,
    "jpeg": _jpeg,
    "under-exposure": _dark,
    "over-exposure": _bright,
    "colour-cast": _cast,
}


def corrupted(tensors: NDArray[np.uint8], name: str, severity: int, seed: int) -> NDArray[np.uint8]:
    """Return prepared photos uint8 [N, S, S, 3], each spoilt by a corruption of :data:`CORRUPTIONS`, likewise.

    Args:
        tensors: The photos.
        name: Which corruption.
        severity: 1 to 5.
        seed: Of everything random.
    """
    kind = list(CORRUPTIONS).index(name)
    spoil = CORRUPTIONS[name]
    each = (
        spoil(tensor, severity, np.random.default_rng((seed, kind, severity, index)))
        for index, tensor in enumerate(tensors)
    )
    return np.stack(list(each))
