"""A class activation map drawn over its photo, with a legend and the notice."""

from __future__ import annotations

import textwrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bundle.activation_map import spread
from bundle.notice import NOTICE

# Viridis (van der Walt and Smith 2015, CC0; bids.github.io/colormap) at nine places: legible in grey and to the
# colour-blind, and no end of it says "danger".
_VIRIDIS = np.array(
    [
        (68, 1, 84),
        (71, 44, 122),
        (59, 81, 139),
        (44, 113, 142),
        (33, 144, 141),
        (39, 173, 129),
        (92, 200, 99),
        (170, 220, 50),
        (253, 231, 37),
    ],
    np.float64,
)
_OPACITY, _BAR, _MARGIN, _LEAST = 0.5, 14, 12, 320


def colours(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return viridis' colours, uint8 [..., 3], of values 0..1 [...]."""
    place = np.clip(values, 0, 1) * (len(_VIRIDIS) - 1)
    below = np.minimum(place.astype(int), len(_VIRIDIS) - 2)
    share = (place - below)[..., None]
    return np.asarray(np.rint(_VIRIDIS[below] * (1 - share) + _VIRIDIS[below + 1] * share), np.uint8)


def draw_overlay(photo: NDArray[np.uint8], grid: NDArray[np.float32], label: str, probability: float) -> Image.Image:
    """Return a picture: the photo, the photo under the map, a legend, what is shown, and the notice.

    Args:
        photo: The prepared photo, uint8 [S, S, 3]: what the model saw.
        grid: The map of one label, float32 [h, w]; drawn smoothly between the centres of its cells.
        label: The label's name, for people.
        probability: What the model gives it, 0..1.
    """
    side = max(photo.shape[0], _LEAST)
    plain = Image.fromarray(photo).resize((side, side), Image.Resampling.BICUBIC)
    low, high = float(grid.min()), float(grid.max())
    smooth = (spread(grid, side) - low) / max(high - low, 1e-9)
    mixed = Image.blend(plain, Image.fromarray(colours(smooth)), _OPACITY)
    return _laid_out(plain, mixed, [f"{label}: {probability:.0%}", f"{low:+.1f}", f"{high:+.1f}"])


def _laid_out(plain: Image.Image, mixed: Image.Image, words: list[str]) -> Image.Image:
    side, width = plain.width, 2 * plain.width + 3 * _MARGIN
    font = ImageFont.load_default()
    lines = textwrap.wrap(f"{words[0]}. What each place adds to this label's logit, from little to much:", width // 6)
    notice = textwrap.wrap(NOTICE, width // 6)
    line = 15
    height = side + (len(lines) + len(notice)) * line + _BAR + line + 4 * _MARGIN
    page = Image.new("RGB", (width, height), "white")
    page.paste(plain, (_MARGIN, _MARGIN))
    page.paste(mixed, (2 * _MARGIN + side, _MARGIN))
    pen, y = ImageDraw.Draw(page), side + 2 * _MARGIN
    pen.multiline_text((_MARGIN, y), "\n".join(lines), "black", font, spacing=4)
    y += len(lines) * line
    ramp = colours(np.tile(np.linspace(0, 1, width - 2 * _MARGIN), (_BAR, 1)))
    page.paste(Image.fromarray(ramp), (_MARGIN, y))
    pen.text((_MARGIN, y + _BAR + 2), words[1], "black", font)
    pen.text((width - _MARGIN, y + _BAR + 2), words[2], "black", font, anchor="ra")
    y += _BAR + line + _MARGIN
    pen.multiline_text((_MARGIN, y), "\n".join(notice), "black", font, spacing=4)
    return page
