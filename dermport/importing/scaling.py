"""What a network is fed: pixels less a mean, over a standard deviation, in one of two orders of the colours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dermport.errors import UsageError
from dermport.importing.request import ImportRequest

Channels = Literal["RGB", "BGR"]
_BGR = "-bgr"


@dataclass(frozen=True)
class PixelScaling:
    """(x - mean) / std of pixels x of 0..255.

    Attributes:
        name: For people, such as ``imagenet``.
        mean: By channel, in the order of `channels`, levels of 0..255.
        std: Likewise.
        channels: In which order the network has the colours.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: Channels = "RGB"

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return prepared photos, uint8 [N, S, S, 3] RGB, as the network takes them, float32."""
        ordered = pixels[..., ::-1] if self.channels == "BGR" else pixels
        return np.asarray((ordered - np.array(self.mean)) / np.array(self.std), np.float32)

    @property
    def affine(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scale and offset, [3] each: scale * x + offset."""
        scale = 1 / np.array(self.std, np.float64)
        return scale, -np.array(self.mean, np.float64) * scale


def _known(name: str, mean: Sequence[float], std: Sequence[float], channels: Channels = "RGB") -> PixelScaling:
    return PixelScaling(name, tuple(255 * value for value in mean), tuple(255 * value for value in std), channels)


RAW = _known("0..255", (0.0,) * 3, (1 / 255,) * 3)
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # of torchvision and timm
_RGB = (
    RAW,
    _known("0..1", (0.0,) * 3, (1.0,) * 3),
    _known("-1..1", (0.5,) * 3, (0.5,) * 3),
    _known("imagenet", *_IMAGENET),
)
_CAFFE = PixelScaling("caffe", (103.939, 116.779, 123.68), (1.0,) * 3, "BGR")  # Keras' of VGG and ResNet
SCALINGS: dict[str, PixelScaling] = {
    one.name: one
    for one in (
        *_RGB,
        _CAFFE,
        *(PixelScaling(one.name + _BGR, one.mean[::-1], one.std[::-1], "BGR") for one in _RGB),
    )
}
"""What the probe tries, by name."""


def named_scaling(text: str) -> PixelScaling:
    """Return a scaling by its name, or ``0.5,0.5,0.5/0.2,0.2,0.2``: mean and standard deviation of pixels of 0..1.

    Raises:
        UsageError: It is neither.
    """
    if text in SCALINGS:
        return SCALINGS[text]
    numbers = re.fullmatch(r"([\d.]+),([\d.]+),([\d.]+)/([\d.]+),([\d.]+),([\d.]+)(-bgr)?", text)
    if not numbers or not all(float(value) for value in numbers.groups()[3:6]):
        raise UsageError(
            f"{{scaling}} {text!r} is none of {', '.join(SCALINGS)}, nor mean and standard deviation.",
            remedy="Such as {scaling} 0.485,0.456,0.406/0.229,0.224,0.225 (of pixels of 0..1).",
            of=ImportRequest,
        )
    values = [float(value) for value in numbers.groups()[:6]]
    return of_moments(values[:3], values[3:], "BGR" if numbers[7] else "RGB")


def of_moments(mean: Sequence[float], std: Sequence[float], channels: Channels = "RGB") -> PixelScaling:
    """Return the scaling of a mean and standard deviation, [3] each, of pixels of 0..1; its name where it has one."""
    found = _known(f"{_list(mean)}/{_list(std)}", mean, std, channels)
    same = [
        one for one in SCALINGS.values() if one.channels == channels and np.allclose(_numbers(one), _numbers(found))
    ]
    return same[0] if same else found


def _numbers(scaling: PixelScaling) -> NDArray[np.float64]:
    return np.array([scaling.mean, scaling.std])


def _list(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)
