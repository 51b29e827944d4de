"""Skin tone, estimated from a photo: the individual typology angle (ITA) of its border.

ITA = arctan((L* − 50) / b*) in degrees, from CIE L*a*b* under D65 (Chardon et al. 1991, "Skin colour typology and
suntanning pathways"); bands as in Del Bino and Bernerd 2013, "Variations in skin colour and the biological
consequences of ultraviolet radiation exposure". Used on photos of lesions by Kinyanjui et al. 2019, "Estimating skin
tone and effects on classification performance in dermatology datasets".

It is an estimate, no measurement of the skin: a dermoscope's light, its white balance and the camera shift it, and what
lies at the border is taken for healthy skin. It is good for asking whether groups fare differently, and no more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Names from light to dark, each with the angle (degrees) that its members exceed.
BANDS: tuple[tuple[str, float], ...] = (
    ("very light", 55.0),
    ("light", 41.0),
    ("intermediate", 28.0),
    ("tan", 10.0),
    ("brown", -30.0),
    ("dark", -90.0),
)
UNKNOWN = "unknown"
_RING = 0.1  # of the side: how wide the border is
_BLACK = 48  # a pixel whose brightest channel is darker is a dermoscope's corner, a ruler's tick or a hair
_LEAST = 0.05  # of the border's pixels: with fewer left, nothing is said
# IEC 61966-2-1 (sRGB), linear RGB to X, Y, Z relative to the D65 white point; X is not needed for L* and b*.
_TO_Y = np.array([0.2126729, 0.7151522, 0.0721750])
_TO_Z = np.array([0.0193339, 0.1191920, 0.9503041]) / 1.08883


def tone_groups(tensors: NDArray[np.uint8]) -> tuple[str, ...]:
    """Return the band of each photo's border, one of :data:`BANDS` or :data:`UNKNOWN`.

    Args:
        tensors: Prepared photos, uint8 [N, S, S, 3] RGB.
    """
    return tuple(tone_group(border_angle(tensor)) for tensor in tensors)


def tone_group(angle: float | None) -> str:
    """Return the band of an angle in degrees, :data:`UNKNOWN` for None."""
    if angle is None:
        return UNKNOWN
    return next((name for name, above in BANDS if angle > above), BANDS[-1][0])


def border_angle(tensor: NDArray[np.uint8]) -> float | None:
    """Return the ITA of the median colour of the photo's border, degrees; None where hardly any of it is lit.

    Args:
        tensor: One prepared photo, uint8 [S, S, 3] RGB.
    """
    width = max(1, round(_RING * len(tensor)))
    border = np.ones(tensor.shape[:2], dtype=np.bool_)
    border[width:-width, width:-width] = False
    pixels = tensor[border]
    lit = pixels[pixels.max(axis=1) >= _BLACK]
    if len(lit) < _LEAST * len(pixels):
        return None
    lightness, yellowness = lightness_and_yellowness(np.median(lit, axis=0))
    return float(np.degrees(np.arctan2(lightness - 50, yellowness)).clip(-90, 90))


def lightness_and_yellowness(colour: NDArray[np.floating]) -> tuple[float, float]:
    """Return CIE L* and b* (D65) of an sRGB colour float [3] of 0..255."""
    share = colour.astype(np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    y, z = _lab_curve(float(_TO_Y @ linear)), _lab_curve(float(_TO_Z @ linear))
    return 116 * y - 16, 200 * (y - z)


def _lab_curve(value: float) -> float:
    return float(np.cbrt(value)) if value > (6 / 29) ** 3 else value / (3 * (6 / 29) ** 2) + 4 / 29
