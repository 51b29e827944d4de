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
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import PREP_ID, Crop, Preprocessing
from dermport.bundle.photo_file import MAX_SCANS, PhotoFile, damaged, plain_png, read_photo, unsupported
from dermport.errors import PhotoError

DRAFT_ID = f"{PREP_ID}-draft"
MAX_BYTES = 32 * 1024 * 1024
MAX_PIXELS = 64_000_000
MAX_SIDE = 30_000

TEXT = f"""{PREP_ID}

1. Accept JPEG (baseline or progressive, at most {MAX_SCANS} scans; grey, colour or CMYK; 4:4:4, 4:2:2, 4:2:0, 4:4:0 or
   4:1:1) or PNG (at most 8 bits a channel, one frame, every pixel opaque). Refuse anything else, photos over 32 MiB,
   over 64 million pixels or over 30,000 pixels a side, and damaged ones: whatever libjpeg warns of is damage.
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

_PREPARED = f"Send the photo itself without the header X-Dermport-Prep, or prepare it as {PREP_ID} defines."
_DRAFTS = (8, 4, 2)
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
    check_size(data)
    file = read_photo(data)
    _check_pixels(file.width, file.height, most_pixels)
    image = _jpeg(file, 2 * spec.size if draft else None) if file.kind == "JPEG" else _png(file)
    orientation = orientation_of(file.exif)
    turn = _TRANSPOSE[orientation]
    tensor = tensor_of(image if turn is None else image.transpose(turn), spec)
    return Prepared(tensor, sha256_bytes(tensor.tobytes()), file.width, file.height, orientation)


def tensor_of(upright: Image.Image, spec: Preprocessing) -> NDArray[np.uint8]:
    """Crop and resize a decoded, upright RGB (or RGBX) picture: steps 4 to 6 alone, uint8 [S, S, 3]."""
    return _resize(_crop(upright, spec.crop), spec.size)


def prepared(data: bytes, spec: Preprocessing) -> Prepared:
    """Read the model's input as a client has prepared it: a PNG of exactly that size, whose pixels are the tensor.

    Raises:
        PhotoError: It is no PNG, of another size or not RGB, or it asks to be turned.
    """
    check_size(data)
    file = read_photo(data)
    if file.kind != "PNG":
        raise PhotoError("A prepared photo is a PNG.", code="not-png", remedy=_PREPARED)
    wanted = (file.width, file.height, file.channels) == (spec.size, spec.size, 3)
    if not wanted or file.keyed or orientation_of(file.exif) != 1:
        raise PhotoError(
            f"The PNG is {file.width} x {file.height} of {file.channels} channels, not upright opaque RGB "
            f"{spec.size} x {spec.size}.",
            code="not-prepared",
            remedy=_PREPARED,
        )
    tensor = np.asarray(_png(file), dtype=np.uint8)
    return Prepared(tensor, sha256_bytes(tensor.tobytes()), file.width, file.height, 1)


def exif_orientation(image: Image.Image) -> int:
    """Return the value of EXIF tag 274 of a loaded picture, or 1 where it is absent or not 1..8.

    Not ``Image.getexif()``: that falls back to XMP, which browsers and phones do not.
    """
    return orientation_of(image.info.get("exif", b""))


def orientation_of(block: bytes) -> int:
    """Return EXIF tag 274 of a TIFF block (after ``Exif\\0\\0`` or with it), or 1 where it is absent or not 1..8."""
    exif = Image.Exif()
    try:
        exif.load(block)
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


def _jpeg(file: PhotoFile, draft: int | None) -> Image.Image:
    """Return the decoded JPEG (RGB or RGBX); `draft` is the side that will do.

    Not by Pillow, which drops libjpeg's warnings: half of a photo, the rest grey, is a picture to it. simplejpeg hands
    the same libjpeg-turbo's pixels over (byte-equal on 1,500 photos), and raises at the first warning.
    """
    scale = 1
    if draft:
        scale = next((s for s in _DRAFTS if min(file.width, file.height) // draft >= s), 1)
    least = {"min_width": -(-file.width // scale), "min_height": -(-file.height // scale)} if scale > 1 else {}
    try:
        pixels = simplejpeg.decode_jpeg(file.content, "CMYK" if file.channels == 4 else "RGBX", **least)
    except ValueError as error:
        raise damaged("a decoder warns of its data") from error
    size = (pixels.shape[1], pixels.shape[0])
    if file.channels == 4:  # Adobe stores CMYK inverted
        return Image.frombuffer("CMYK", size, pixels, "raw", "CMYK;I", 0, 1).convert("RGB")
    return Image.frombuffer("RGBX", size, pixels, "raw", "RGBX", 0, 1)  # without a copy


def _png(file: PhotoFile) -> Image.Image:
    content = plain_png(file)
    # Pillow raises errors of a dozen types on damaged files; whatever it raises, the photo is refused.
    try:
        image: Image.Image = Image.open(io.BytesIO(content), formats=["PNG"])
        image.load()
    except Exception as error:
        raise damaged("it cannot be decoded") from error
    if image.mode in ("RGBA", "LA") or (image.mode == "P" and file.keyed):
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            raise unsupported("PNG", "it has transparency, which decoders blend differently")
    elif file.keyed:
        raise unsupported("PNG", "it names a transparent colour, which decoders blend differently")
    return image.convert("RGB")


def _check_pixels(width: int, height: int, most: int) -> None:
    if width * height > most or max(width, height) > MAX_SIDE:
        raise PhotoError(
            f"The photo is {width} x {height}; at most {most:,} pixels and {MAX_SIDE:,} a side are accepted.",
            code="too-many-pixels",
            remedy="Send a smaller photo.",
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
    pixels = np.asarray(rows.resize((size, size), Image.Resampling.BILINEAR), dtype=np.uint8)
    return np.ascontiguousarray(pixels[..., :3])
