"""What colours skin: amounts of a few absorbers and scatterers per pixel, and the colour that they make.

A lesion is drawn as what is in the skin, not as a colour, so that the same nevus looks right on pale and on dark skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.training.sample.fields import Map

# Bloodless skin without melanin, and how one unit of each absorber dims sRGB red, green and blue (Beer and Lambert's
# law, fitted by eye to dermatoscopic photos rather than to spectra).
_BARE = np.array([0.99, 0.90, 0.85], np.float32)
_MELANIN = np.array([0.40, 0.72, 1.00], np.float32)
_BLOOD = np.array([0.10, 0.74, 0.50], np.float32)
_DEEP = np.array([1.00, 0.80, 0.50], np.float32)
_KERATIN = np.array([0.06, 0.22, 0.72], np.float32)
_WHITE = np.array([0.97, 0.92, 0.91], np.float32)


@dataclass(frozen=True)
class Pigment:
    """Amounts per pixel, float32 [H, W] each.

    Attributes:
        melanin: Brown pigment near the surface; 1 makes pale skin mid-brown.
        blood: Haemoglobin; 1 makes pale skin pink-red, 3 crimson.
        deep: Melanin deep in the dermis, which scattering turns blue-grey.
        keratin: Yellow horn.
        white: Collagen, scale or cyst, as coverage 0..1.
    """

    melanin: Map
    blood: Map
    deep: Map
    keratin: Map
    white: Map

    @classmethod
    def none(cls, shape: tuple[int, int]) -> Pigment:
        """Return zero of everything."""
        return cls(*(np.zeros(shape, np.float32) for _ in range(5)))

    def maps(self) -> tuple[Map, Map, Map, Map, Map]:
        """Return the five maps, in the order of the attributes."""
        return self.melanin, self.blood, self.deep, self.keratin, self.white

    def plus(self, other: Pigment) -> Pigment:
        """Return the sum of both."""
        return Pigment(*(one + two for one, two in zip(self.maps(), other.maps(), strict=True)))


def colour(pigment: Pigment) -> NDArray[np.float32]:
    """Return float32 [H, W, 3]: the sRGB colour, 0..1, of skin with the given amounts under even light."""
    absorbers = (
        (pigment.melanin, _MELANIN),
        (pigment.blood, _BLOOD),
        (pigment.deep, _DEEP),
        (pigment.keratin, _KERATIN),
    )
    white = np.clip(pigment.white, 0, 0.9)
    channels = []
    for channel in range(3):
        density = sum(np.maximum(amount, 0) * absorption[channel] for amount, absorption in absorbers)
        skin = _BARE[channel] * np.exp(-density)
        channels.append(skin + white * (_WHITE[channel] - skin) * np.float32(0.8))
    return np.stack(channels, axis=-1).astype(np.float32)
