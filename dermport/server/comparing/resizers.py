"""The ways in which phones' and browsers' own functions make a picture smaller, none of which is dermport-prep/1."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from PIL import Image

from dermport.server.comparing.likeness import Tensor

_Resampling, _Transform = Image.Resampling, Image.Transform


def _filtered(resampling: Image.Resampling, image: Image.Image, size: int) -> Tensor:
    return np.asarray(image.resize((size, size), resampling), np.uint8)


def _sampled(resampling: Image.Resampling, image: Image.Image, size: int) -> Tensor:
    """Look at the few pixels around each point only, however many lie in between: no antialiasing."""
    box = (0, 0, *image.size)
    return np.asarray(image.transform((size, size), _Transform.EXTENT, box, resampling), np.uint8)


def _vertical_first(image: Image.Image, size: int) -> Tensor:
    columns = image.resize((image.width, size), _Resampling.BILINEAR)
    return _filtered(_Resampling.BILINEAR, columns, size)


def _mip_mapped(image: Image.Image, size: int) -> Tensor:
    """Halve as often as fits, then sample: Skia's mip maps, as Chromium's canvas uses them."""
    for _ in range(int(math.log2(max(1.0, math.sqrt(image.width * image.height) / size)))):
        image = image.resize((max(1, image.width // 2), max(1, image.height // 2)), _Resampling.BOX)
    return _sampled(_Resampling.BILINEAR, image, size)


# In words, what each makes of "this photo".
RESIZERS: Mapping[str, Callable[[Image.Image, int], Tensor]] = {
    "resized in one call, which takes the height first": _vertical_first,
    "resized in one call": partial(_filtered, _Resampling.BILINEAR),
    "resized by nearest neighbour, without smoothing": partial(_filtered, _Resampling.NEAREST),
    "resized bilinearly without antialiasing": partial(_sampled, _Resampling.BILINEAR),
    "resized with mip maps, as a canvas' drawImage does": _mip_mapped,
    "resized bicubically without antialiasing": partial(_sampled, _Resampling.BICUBIC),
    "resized by area averages (box filter)": partial(_filtered, _Resampling.BOX),
    "resized with a Hamming filter": partial(_filtered, _Resampling.HAMMING),
    "resized bicubically": partial(_filtered, _Resampling.BICUBIC),
    "resized with a Lanczos filter": partial(_filtered, _Resampling.LANCZOS),
}
