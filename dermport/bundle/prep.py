"""``dermport-prep/1``: from the bytes of a photo to the model's input, the one definition of every room and client.

A phone and a server that decode or resize differently disagree before the model has run, so each step is fixed down
to the byte (see DESIGN.md for what the usual short cuts cost). :data:`TEXT` says the same in words for people who
port it; ``dermport/bundle/vectors/`` holds photos with the sha256 that a port must reach.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import PREP_ID, Crop, Preprocessing
from dermport.errors import PhotoError

DRAFT_ID = f"{PREP_ID}-draft"
MAX_BYTES = 32 * 1024 * 1024
MAX_PIXELS = 64_000_000
MAX_SIDE = 30_000

TEXT = f"""{PREP_ID}

1. Accept JPEG (baseline or progressive, any subsampling, grey, CMYK) or PNG without transparency (at most 8 bits a
   channel, one frame). Refuse anything else, photos over 32 MiB, over 64 million pixels or over 30,000 pixels a side.
2. Decode the stored values with the accurate integer DCT and libjpeg's default ("fancy") chroma upsampling; ignore
   every colour profile (ICC, gAMA, cHRM, sRGB, cICP). CMYK becomes RGB as R = 255 - C * (255 - K) and so on, in
   Pillow's integer arithmetic.
3. Turn the picture as EXIF tag 274 says (1 to 8; any other value, or none, is 1). XMP is not read.
4. Crop to the box that the bundle names: "full-frame" (all), or "centre-square": side s = min(width, height),
   left = (width - s) // 2, top = (height - s) // 2.
5. Resize to the model's S x S in two passes, first the width, then the height, each rounded to 8 bits: a triangle
   filter whose support is max(1, scale), with weights in 22-bit fixed point (Pillow's BILINEAR).
6. The tensor is uint8 [S, S, 3], rows first, RGB. Its sha256 is the "input_sha256". The model's own graph normalises.
"""

_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
_PREPARED = f"Send the photo itself without the header X-Dermport-Prep, or prepare it as {PREP_ID} defines."
_MODES = frozenset({"1", "L", "P", "RGB", "CMYK"})
_TRANSPOSE = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Prepared:
    """A photo, ready for the model.

    Attributes:
        tensor: uint8 [S, S, 3], RGB, 0..255.
        input_sha256: sha256 of the tensor's bytes; equal hashes mean equal inputs.
        width: The stored photo's width in pixels, before orientation.
        height: The stored photo's height in pixels, before orientation.
        orientation: The EXIF orientation that was applied, 1..8.
    """

    tensor: NDArray[np.uint8]
    input_sha256: str
    width: int
    height: int
    orientation: int


def prepare(data: bytes, spec: Preprocessing, draft: bool = False, most_pixels: int = MAX_PIXELS) -> Prepared:
    """Turn the bytes of a JPEG or PNG into the model's input, as ``dermport-prep/1`` defines.

    Args:
        data: The photo as stored.
        spec: The bundle's preprocessing: size and crop.
        draft: Let libjpeg decode a JPEG at the smallest fraction of its size that is twice the model's input or more.
            It is several times faster on photos of 12 MP and more, and it is not ``dermport-prep/1`` but
            :data:`DRAFT_ID`: hashes differ.
        most_pixels: A photo of more is refused, before it is decoded.

    Raises:
        PhotoError: The photo is refused; `code` names the reason.
    """
    image, stored = _decode(data, 2 * spec.size if draft else None, most_pixels)
    orientation = exif_orientation(image)
    turn = _TRANSPOSE[orientation]
    upright = image if turn is None else image.transpose(turn)
    tensor = tensor_of(upright.convert("RGB"), spec)
    return Prepared(tensor, sha256_bytes(tensor.tobytes()), *stored, orientation)


def tensor_of(upright: Image.Image, spec: Preprocessing) -> NDArray[np.uint8]:
    """Crop and resize a decoded, upright RGB picture: steps 4 to 6 alone, uint8 [S, S, 3]."""
    return _resize(_crop(upright, spec.crop), spec.size)


def prepared(data: bytes, spec: Preprocessing) -> Prepared:
    """Read the model's input as a client has prepared it: a PNG of exactly that size, whose pixels are the tensor.

    Raises:
        PhotoError: It is no PNG, of another size or not RGB, or it asks to be turned.
    """
    if _kind(data) != "PNG":
        raise PhotoError("A prepared photo is a PNG.", code="not-png", remedy=_PREPARED)
    image, stored = _decode(data, None)
    if stored != (spec.size, spec.size) or image.mode != "RGB" or exif_orientation(image) != 1:
        raise PhotoError(
            f"The PNG is {stored[0]} x {stored[1]} {image.mode}, not upright RGB {spec.size} x {spec.size}.",
            code="not-prepared",
            remedy=_PREPARED,
        )
    tensor = np.asarray(image, dtype=np.uint8)
    return Prepared(tensor, sha256_bytes(tensor.tobytes()), *stored, 1)


def stored_pixels(data: bytes) -> int:
    """Return how many pixels the header of a photo promises; 0 where it has no readable one."""
    try:
        width, height = Image.open(io.BytesIO(data), formats=list(_MAGIC.values())).size
    except Exception:  # Pillow raises errors of a dozen types; decoding will refuse the photo in its own words
        return 0
    return int(width * height)


def exif_orientation(image: Image.Image) -> int:
    """Return the value of EXIF tag 274 of a loaded picture, or 1 where it is absent or not 1..8.

    Not ``Image.getexif()``: that falls back to XMP, which browsers and phones do not.
    """
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        value = exif.get(274)
    except (SyntaxError, ValueError, KeyError, TypeError, EOFError, struct.error):  # damaged EXIF is no EXIF
        return 1
    return value if isinstance(value, int) and value in _TRANSPOSE else 1


def check_size(data: bytes) -> None:
    """Refuse what is empty or larger than :data:`MAX_BYTES`."""
    if not data:
        raise PhotoError("The photo is empty (0 bytes).", code="empty")
    if len(data) > MAX_BYTES:
        raise PhotoError(
            f"The photo has {len(data):,} bytes; at most {MAX_BYTES:,} are accepted.", code="too-many-bytes"
        )


def _decode(data: bytes, draft: int | None, most_pixels: int = MAX_PIXELS) -> tuple[Image.Image, tuple[int, int]]:
    """Return the decoded picture and the (width, height) that are stored; `draft` is the side that will do."""
    check_size(data)
    kind = _kind(data)
    # Pillow's decoders raise errors of a dozen types on damaged files; whatever they raise, the photo is refused.
    try:
        image = Image.open(io.BytesIO(data), formats=[kind])
        _check_pixels(*image.size, most_pixels)
        _check_stored_form(image, kind, data)
        stored = image.size
        if draft:
            image.draft(None, (draft, draft))
        image.load()
    except PhotoError:
        raise
    except Exception as error:
        raise PhotoError(
            f"The {kind} is damaged or incomplete: it cannot be decoded.",
            code="undecodable",
            remedy="Send the photo again, unedited.",
        ) from error
    return image, stored


def _kind(data: bytes) -> str:
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    raise PhotoError(
        "The file is neither JPEG nor PNG.",
        code="unsupported-type",
        remedy="Send a JPEG (iPhone: Settings > Camera > Formats > Most Compatible) or a PNG without transparency.",
    )


def _check_pixels(width: int, height: int, most: int) -> None:
    if width * height > most or max(width, height) > MAX_SIDE:
        raise PhotoError(
            f"The photo is {width} x {height}; at most {most:,} pixels and {MAX_SIDE:,} a side are accepted.",
            code="too-many-pixels",
            remedy="Send a smaller photo.",
        )


def _check_stored_form(image: Image.Image, kind: str, data: bytes) -> None:
    if image.has_transparency_data:
        reason = "it has transparency, which decoders blend differently"
    elif kind == "PNG" and data[24] > 8:
        reason = f"it has {data[24]} bits a channel, which decoders round differently"
    elif kind == "PNG" and getattr(image, "n_frames", 1) > 1:
        reason = "it is animated"
    elif image.mode not in _MODES:
        reason = f"its colour mode {image.mode} is not grey, RGB, CMYK or palette"
    else:
        return
    raise PhotoError(
        f"The {kind} is refused: {reason}.",
        code="unsupported-form",
        remedy="Send a plain JPEG or an opaque 8-bit PNG.",
    )


def _crop(image: Image.Image, crop: Crop) -> Image.Image:
    if crop == "full-frame":
        return image
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _resize(image: Image.Image, size: int) -> NDArray[np.uint8]:
    # Two explicit passes: in one call, Pillow 13 chooses the order of the passes by the picture's shape.
    rows = image.resize((size, image.height), Image.Resampling.BILINEAR)
    return np.asarray(rows.resize((size, size), Image.Resampling.BILINEAR), dtype=np.uint8)
