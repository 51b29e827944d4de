"""A class activation map drawn over its photo, with a legend and the notice."""

from __future__ import annotations

import textwrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dermport.bundle.activation_map import DRAWING, spread
from dermport.bundle.notice import NOTICE

_COLOURS = np.array(DRAWING["colours"], np.float64)  # legible in grey and to the colour-blind; no end says "danger"
_OPACITY, _BAR, _MARGIN, _LEAST = DRAWING["opacity"], 14, 12, 320


def colours(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return viridis' colours, uint8 [..., 3], of values 0..1 [...]."""
    place = np.clip(values, 0, 1) * (len(_COLOURS) - 1)
    below = np.minimum(place.astype(int), len(_COLOURS) - 2)
    share = (place - below)[..., None]
    return np.asarray(np.rint(_COLOURS[below] * (1 - share) + _COLOURS[below + 1] * share), np.uint8)


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
    mixed = blended(plain, grid, low, high)
    return _laid_out(plain, mixed, [f"{label}: {probability:.0%}", f"{low:+.1f}", f"{high:+.1f}"])


def blended(photo: Image.Image, grid: NDArray[np.floating], low: float, high: float) -> Image.Image:
    """Return a square photo under a map [h, w] whose colours go from `low` to `high`."""
    smooth = (spread(grid, photo.width) - low) / max(high - low, 1e-9)
    return Image.blend(photo, Image.fromarray(colours(smooth)), _OPACITY)


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
