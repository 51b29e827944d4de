"""One picture as every kind of file that phones, cameras, editors and attackers send."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms

_ADOBE = b"\xff\xee\x00\x0eAdobe"
# Red, green and blue of a colour space as ICC's D50 XYZ values: what a profile of a phone or an editor says.
_PRIMARIES = {
    "display-p3": ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)),
    "adobe-rgb": ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)),
}


@dataclass(frozen=True)
class Kind:
    """A file of one kind.

    Attributes:
        group: What is looked at: ``"exif"``, ``"colour"``, ``"refused"``, ...
        name: Which of it.
        data: The file.
    """

    group: str
    name: str
    data: bytes


def kinds(image: Image.Image) -> Iterator[Kind]:
    """Yield an RGB picture as every kind of file; those of the group ``refused`` are no photos of dermport-prep/1."""
    for name, data in _coded(image):
        yield Kind("coding", name, data)
    for name, data in _turned(image):
        yield Kind("exif", name, data)
    for name, data in _coloured(image):
        yield Kind("colour", name, data)
    for name, data in _lossless(image):
        yield Kind("png", name, data)
    for name, data in _odd(image):
        yield Kind("odd", name, data)
    for name, data in _refused(image):
        yield Kind("refused", name, data)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    """Encode a JPEG with Pillow."""
    file = io.BytesIO()
    image.save(file, "JPEG", **{"quality": 88, **options})
    return file.getvalue()


def png(image: Image.Image, **options: Any) -> bytes:
    """Encode a PNG with Pillow."""
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def profile(name: str) -> bytes:
    """Return an ICC profile of ``display-p3`` or ``adobe-rgb``: Pillow's sRGB one with other primaries."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for tag, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), _PRIMARIES[name], strict=True):
        entry = made.index(tag, 128)
        [at] = struct.unpack_from(">I", made, entry + 4)
        struct.pack_into(">3i", made, at + 8, *(round(value * 65536) for value in xyz))
    return bytes(made)


def without_adobe(data: bytes) -> bytes:
    """Return a JPEG without its Adobe segment, which says what the colours are."""
    at = data.index(_ADOBE)
    return data[:at] + data[at + 16 :]


def as_ycck(data: bytes) -> bytes:
    """Return a CMYK JPEG whose first three channels are to be taken for YCbCr, as Photoshop writes them."""
    at = data.index(_ADOBE) + 15
    return data[:at] + b"\x02" + data[at + 1 :]


def _coded(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    for sampling in ("4:4:4", "4:2:2", "4:2:0"):
        yield sampling, jpeg(image, subsampling=sampling)
        yield f"{sampling} progressive", jpeg(image, subsampling=sampling, progressive=True)
    yield "restart markers", jpeg(image, restart_marker_blocks=5)
    yield "quality 10", jpeg(image, quality=10)
    yield "quality 100", jpeg(image, quality=100, subsampling="4:4:4")
    yield "grey", jpeg(image.convert("L"))
    yield "grey progressive", jpeg(image.convert("L"), progressive=True)


def _turned(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    for orientation in range(1, 10):
        yield f"orientation {orientation}", jpeg(image, exif=_exif(orientation))
    yield "orientation 6, PNG", png(image, exif=_exif(6))


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return exif.tobytes()


def _coloured(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    cmyk = jpeg(image.convert("CMYK"))
    yield "Display P3", jpeg(image, icc_profile=profile("display-p3"))
    yield "Adobe RGB", jpeg(image, icc_profile=profile("adobe-rgb"))
    yield "Display P3, turned", jpeg(image, icc_profile=profile("display-p3"), exif=_exif(8))
    yield "Display P3, PNG", png(image, icc_profile=profile("display-p3"))
    yield "RGB in JPEG", jpeg(image, keep_rgb=True)
    yield "CMYK", cmyk
    yield "YCCK", as_ycck(cmyk)
    yield "CMYK without Adobe's segment", without_adobe(cmyk)


def _lossless(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    yield "RGB", png(image)
    yield "grey", png(image.convert("L"))
    yield "one bit", png(image.convert("1"))
    for bits in (1, 2, 4, 8):
        yield f"palette of {bits} bits", png(image.quantize(2**bits), bits=bits)
    yield "gamma", _with_chunk(png(image), b"gAMA", struct.pack(">I", 100000))
    yield "chromaticities", _with_chunk(png(image), b"cHRM", struct.pack(">8I", *[31270, 32900, *[30000] * 6]))
    yield "significant bits", _with_chunk(png(image), b"sBIT", bytes((5, 6, 5)))


def _odd(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    plain = jpeg(image)
    yield "one pixel", jpeg(image.resize((1, 1)))
    yield "one column", png(image.resize((1, 300)))
    yield "one row", jpeg(image.resize((300, 1)))
    yield "smaller than the model", jpeg(image.resize((60, 41)))
    yield "bytes after the end", plain + b"\x00" * 1000
    yield "two pictures (MPO)", plain + jpeg(image.resize((80, 60)))
    yield "fill bytes between segments", plain[:2] + b"\xff" * 5 + plain[2:]
    yield "comment", jpeg(image, comment=b"x" * 60000)


def _refused(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    plain, lossless = jpeg(image), png(image)
    yield "empty", b""
    yield "text", b"no photo"
    yield "JPEG cut in half", plain[: len(plain) // 2]
    yield "JPEG without its last byte", plain[:-1]
    yield "progressive JPEG cut in half", (cut := jpeg(image, progressive=True))[: len(cut) // 2]
    yield "PNG cut in half", lossless[: len(lossless) // 2]
    yield "PNG with a wrong checksum", _flipped(lossless, lossless.index(b"IDAT") + 100)
    yield "alpha", png(_translucent(image))
    yield "grey with alpha", png(_translucent(image).convert("LA"))
    yield "transparent colour", png(image, transparency=(1, 2, 3))
    yield "palette with transparency", png(image.quantize(16), transparency=3)
    yield "16 bits", png(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257))
    yield "animated", png(image, save_all=True, append_images=[image.rotate(90)])
    for kind in ("GIF", "WEBP", "BMP", "TIFF"):
        yield kind, _as(image, kind)


def _translucent(image: Image.Image) -> Image.Image:
    made = image.copy()
    made.putalpha(200)
    return made


def _as(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 0xFF,)) + data[at + 1 :]


def _with_chunk(data: bytes, kind: bytes, content: bytes) -> bytes:
    """Put a chunk behind a PNG's header."""
    import zlib

    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return data[:33] + chunk + data[33:]
