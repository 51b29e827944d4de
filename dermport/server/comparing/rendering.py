"""What no usual mistake explains: is it another photo, another cut-out, another filter, or other colours?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from dermport.bundle.wire import Fault
from dermport.server.comparing.faults import fault, near_words
from dermport.server.comparing.likeness import Tensor, blocks, difference, distance, same_detail

_SCALES = tuple(percent / 100 for percent in range(95, 45, -5))
# A cut-out whose scale is right within a few per cent leaves less than this share of the blocks' difference.
_CLEAR = 0.4
# Every filter leaves the blocks' mean colours alike; where they differ by more than this share of the mean level, and
# by more than a level, colours were changed.
_COLOURS = 0.7


def rendering_faults(
    phone: Tensor, reference: Tensor, photo_changed: bool | None, came_before: bool
) -> Iterator[Fault]:
    """Yield what sets the phone's tensor apart from `reference`, what should have come of the photo.

    Args:
        phone: The phone's tensor, uint8 [S, S, 3].
        reference: The tensor that comes the nearest to it.
        photo_changed: Whether another photo arrived than the phone answered; None where that is not known.
        came_before: Whether the phone's tensor is that of a photo that came before.
    """
    left = difference(phone, reference)
    if left.max_level == 0:
        return
    same = same_detail(phone, reference)
    if not phone.any() or phone.min() == phone.max():
        yield fault("blank", f"The phone's tensor is blank: every value is {phone.flat[0]}.", True, left=left)
    elif same is False:
        yield _elsewhere(phone, reference, photo_changed, came_before)
    elif photo_changed:
        words = f"The phone's tensor is of the same picture, stored or scaled anew on the way ({near_words(left)})."
        yield fault("re-compressed", words, False, left=left)
    elif photo_changed is False:  # else it may be the photo's, stored anew
        yield _rendered(phone, reference)


def _elsewhere(phone: Tensor, reference: Tensor, photo_changed: bool | None, came_before: bool) -> Fault:
    """Return why the two tensors have no detail in common."""
    left = difference(phone, reference)
    if not came_before and (scale := _cut_out(phone, reference)) is not None:
        words = f"The phone's tensor is a cut-out of this photo: the middle {scale:.0%} of its sides, about."
        return fault("cropped-otherwise", words, False, left=left)
    if came_before:
        return fault("stale-photo", "The phone's tensor is that of a photo that came before.", True, left=left)
    words = "The phone's tensor shows no detail of this photo: it is another photo's, or a cut-out of elsewhere."
    return fault("another-photo" if photo_changed is not False else "stale-photo", words, False, left=left)


def _cut_out(phone: Tensor, reference: Tensor) -> float | None:
    """Return which middle part of `reference` the phone's tensor looks like; None where like none."""
    wanted, size = blocks(phone), len(reference)
    picture = Image.fromarray(reference)
    found = {}
    for scale in _SCALES:
        edge = size * (1 - scale) / 2
        part = picture.resize((size, size), Image.Resampling.BILINEAR, (edge, edge, size - edge, size - edge))
        found[scale] = float(np.abs(blocks(np.asarray(part)) - wanted).mean())
    best = min(found, key=lambda scale: found[scale])
    return best if found[best] < _CLEAR * float(np.abs(blocks(reference) - wanted).mean()) else None


def _rendered(phone: Tensor, reference: Tensor) -> Fault:
    left = difference(phone, reference)
    coarse = float(np.abs(blocks(phone) - blocks(reference)).mean())
    grey = np.abs(phone.mean(axis=2) - reference.mean(axis=2)).max()
    if coarse > 1 and coarse > _COLOURS * distance(phone, reference):
        words = "The phone's tensor has this photo's detail in other colours"
        return fault("colours-otherwise", f"{words} ({near_words(left)}).", False, left=left)
    if grey > 2:
        words = "The phone's tensor is this photo under another resizing filter: alike at large, other at edges"
        return fault("resized-otherwise", f"{words} ({near_words(left)}).", False, left=left)
    words = "The phone's tensor is this photo from another decoder: only rounding or colour at edges differs"
    return fault("decoded-otherwise", f"{words} ({near_words(left)}).", False, left=left)
