"""The usual mistakes of preparing a photo, made on purpose: what each would have made of it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from dermport.bundle.causes import FaultCode
from dermport.bundle.manifest import Crop, Preprocessing
from dermport.bundle.prep import exif_orientation, prepare, tensor_of
from dermport.server.comparing.likeness import Tensor
from dermport.server.comparing.resizers import RESIZERS

_Turn = Image.Transpose
# A colour profile of a camera has some hundred bytes, a printer's some hundred thousand; more is no profile to run.
_MAX_PROFILE = 2 * 1024 * 1024
# Larger photos are not turned in every way: that takes longer than all other mistakes together.
_MOST_TURNED = 16_000_000
TURNS: dict[int, _Turn | None] = {
    1: None,
    2: _Turn.FLIP_LEFT_RIGHT,
    3: _Turn.ROTATE_180,
    4: _Turn.FLIP_TOP_BOTTOM,
    5: _Turn.TRANSPOSE,
    6: _Turn.ROTATE_270,
    7: _Turn.TRANSVERSE,
    8: _Turn.ROTATE_90,
}
# Of each orientation, whether rows and columns are reversed once 5 to 8 have swapped them.
_FLIPPED = {
    1: (False, False),
    2: (False, True),
    3: (True, True),
    4: (True, False),
    5: (False, False),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}
_TURNED = {
    2: "mirrored",
    3: "turned by 180°",
    4: "upside down and mirrored",
    5: "mirrored and turned by 90° anticlockwise",
    6: "turned by 90° clockwise",
    7: "mirrored and turned by 90° clockwise",
    8: "turned by 90° anticlockwise",
}


@dataclass(frozen=True)
class CandidateFault:
    """A mistake.

    Attributes:
        code: Its name.
        words: What it makes of "this photo".
        make: Makes it: uint8 [S, S, 3], or None where this photo gives no occasion for it.
    """

    code: FaultCode
    words: str
    make: Callable[[], Tensor | None]


class PhotoRenderer:
    """One photo, prepared wrongly in every usual way.

    Args:
        data: The photo, which :func:`dermport.bundle.prep.prepare` takes.
        spec: How it should be prepared.

    Attributes:
        orientation: Its EXIF orientation, 1..8.
    """

    def __init__(self, data: bytes, spec: Preprocessing) -> None:
        self._data, self._spec = data, spec
        self._stored = Image.open(io.BytesIO(data))
        self._stored.load()
        self.orientation = exif_orientation(self._stored)

    def candidates(self) -> Iterator[CandidateFault]:
        """Yield the mistakes, those first that are made the most often."""
        if self.orientation != 1:
            yield CandidateFault("orientation-ignored", "with its EXIF orientation ignored", partial(self.oriented, 1))
        yield CandidateFault("profile-honoured", "with its colour profile honoured", self._honoured)
        yield self._other_crop()
        yield CandidateFault("letterboxed", "with bars added instead of being stretched", self._letterboxed)
        yield CandidateFault("draft-decoding", "decoded at a fraction of its size", self._drafted)
        for words, resize in RESIZERS.items():
            yield CandidateFault("resized-otherwise", words, partial(self._resized, resize))
        if self._stored.width * self._stored.height > _MOST_TURNED:
            return
        for turn, words in _TURNED.items():
            if turn != self.orientation:
                yield CandidateFault("turned", words, partial(self.oriented, turn))

    @cached_property
    def _upright(self) -> Image.Image:
        return _rgb(_turned(self._stored, self.orientation))

    @cached_property
    def _cropped(self) -> Image.Image:
        if self._spec.crop == "full-frame":
            return self._upright
        side = min(self._upright.size)
        left, top = ((length - side) // 2 for length in self._upright.size)
        return self._upright.crop((left, top, left + side, top + side))

    def oriented(self, orientation: int) -> Tensor:
        """Return the photo's tensor as if its EXIF orientation were another one."""
        return tensor_of(_rgb(_turned(self._stored, orientation)), self._spec)

    def _honoured(self) -> Tensor | None:
        picture = _to_srgb(self._stored)
        return None if picture is None else tensor_of(_turned(picture, self.orientation), self._spec)

    def _other_crop(self) -> CandidateFault:
        added = self._spec.crop == "full-frame"
        crop: Crop = "centre-square" if added else "full-frame"
        words = "cropped to its centre square" if added else "without its crop to the centre square"
        spec = self._spec.model_copy(update={"crop": crop})
        return CandidateFault("crop-added" if added else "crop-missing", words, lambda: tensor_of(self._upright, spec))

    def _letterboxed(self) -> Tensor:
        size = (self._spec.size, self._spec.size)
        return np.asarray(ImageOps.pad(self._upright, size, Image.Resampling.BILINEAR), np.uint8)

    def _drafted(self) -> Tensor:
        return prepare(self._data, self._spec, draft=True).tensor

    def _resized(self, resize: Callable[[Image.Image, int], Tensor]) -> Tensor:
        return resize(self._cropped, self._spec.size)


def turn_array(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn rows and columns [H, W, ...] as an EXIF orientation, 1..8, says."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    rows, columns = _FLIPPED[orientation]
    return array[:: -1 if rows else 1, :: -1 if columns else 1]


def turn_back(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo :func:`turn_array`."""
    return turn_array(array, {6: 8, 8: 6}.get(orientation, orientation))


def turned_words(orientation: int) -> str:
    """Return in words what an EXIF orientation, 2..8, does to a picture."""
    return _TURNED[orientation]


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    turn = TURNS[orientation]
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")  # which would copy what is RGB already


def _to_srgb(image: Image.Image) -> Image.Image | None:
    """Return the colours that the picture's profile means, in sRGB, 8 bits a channel; None without a usable profile."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not 0 < len(profile) <= _MAX_PROFILE:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImportError, OSError, ValueError, ImageCms.PyCMSError):  # damaged, or of another kind of picture
        return None
