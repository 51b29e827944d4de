"""Photos that are none, or are meant to hurt whoever decodes them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from random import Random

from PIL import Image

from dermport.bundle.vectors import FOLDER

_PNG = b"\x89PNG\r\n\x1a\n"
_HTML = b"<!doctype html><script>alert(1)</script>"


@cache
def good() -> bytes:
    """Return a JPEG that is answered."""
    return (FOLDER / "exif-6.jpg").read_bytes()


@cache
def _small_png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 150, 120)).save(file, "PNG")
    return file.getvalue()


def _chunk(kind: bytes, data: bytes, length: int | None = None, checksum: int | None = None) -> bytes:
    told = len(data) if length is None else length
    crc = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", told) + kind + data + struct.pack(">I", crc)


def _header(width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    return _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


@cache
def _black(width: int, height: int) -> bytes:
    """Return a PNG of zeros: a thousandth of what it unfolds to."""
    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return _PNG + _header(width, height) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


@cache
def _zeros(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


def truncated(random: Random) -> bytes:
    photo = random.choice((good(), _small_png()))
    return photo[: random.choice((1, 2, 3, 8, 20, random.randrange(len(photo)), len(photo) - 1))]


def flipped(random: Random) -> bytes:
    data = bytearray(random.choice((good(), _small_png())))
    for _ in range(random.choice((1, 5, 50))):
        data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data)


def huge_png(random: Random) -> bytes:
    side = random.choice((30_001, 65_535, 2**31 - 1, 2**32 - 1, 0))
    data = _chunk(b"IDAT", zlib.compress(b"\0"))
    return _PNG + _header(side, random.choice((1, 8_000, side)), interlace=random.randrange(2)) + data


def huge_jpeg(random: Random) -> bytes:
    """A good JPEG that says it has 65,535 x 65,535 pixels, or none."""
    data = bytearray(good())
    at = next(i for i in range(2, len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC2))
    data[at + 5 : at + 9] = struct.pack(">HH", *random.choice(((65_535, 65_535), (65_535, 1), (0, 0), (30_000, 2_133))))
    return bytes(data)


def unfolding(random: Random) -> bytes:
    """A PNG whose data unfolds to more than its pixels, to far too little, or to all that is allowed."""
    if random.random() < 0.1:
        return _black(*random.choice(((8_000, 8_000), (30_000, 2_100))))
    if random.random() < 0.5:
        return _black(2_000, 1_000)
    data = _zeros(random.choice((0, 1_000, 50_000_000)))
    return _PNG + _header(64, 64) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def polyglot(random: Random) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil.py", bytes(1_000_000))
    tail = random.choice((file.getvalue(), _HTML, good(), b"%PDF-1.7\n", b"<?php system($_GET[0]); ?>"))
    return random.choice((good() + tail, tail + good(), b"\xff\xd8\xff" + tail, _PNG + tail))


def other_kind(random: Random) -> bytes:
    kind = random.choice(("GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "text", "svg"))
    if kind == "text":
        return random.choice((b"", b"\0" * 100, b"hello", _HTML))
    if kind == "svg":
        return b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    file = io.BytesIO()
    Image.new("RGB", (32, 32)).save(file, kind)
    return file.getvalue()


def modes(random: Random) -> bytes:
    """Images of forms that a camera does not write."""
    mode, kind = random.choice((("CMYK", "JPEG"), ("L", "JPEG"), ("1", "PNG"), ("LA", "PNG"), ("I;16", "PNG")))
    file = io.BytesIO()
    Image.new(mode, random.choice(((1, 1), (1, 3_000), (3_000, 1), (33, 7)))).save(file, kind)
    return file.getvalue()


def png_chunks(random: Random) -> bytes:
    """A PNG with chunks that lie about themselves, or unfold."""
    chunk = random.choice(
        (
            lambda: _chunk(b"iCCP", b"x\0\0" + _zeros(20_000_000)),
            lambda: _chunk(b"zTXt", b"x\0\0" + _zeros(20_000_000)),
            lambda: _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<x:xmpmeta>" * 10_000),
            lambda: _chunk(b"tEXt", b"k\0" + b"v" * 100_000) * 20,
            lambda: _chunk(b"eXIf", random.randbytes(200)),
            lambda: _chunk(b"PLTE", b"\0" * 5),
            lambda: _chunk(b"tRNS", b"\0" * 500),
            lambda: _chunk(b"acTL", struct.pack(">II", 2**31, 0)),
            lambda: _chunk(b"IDAT", b"", length=2**31),
            lambda: _chunk(b"gAMA", b"\0\0\0\0", checksum=0),
            lambda: _header(1, 1),
            lambda: _chunk(bytes(4), random.randbytes(8)) * 1_000,
        )
    )()
    at = _small_png().index(b"IDAT") - 4
    return _small_png()[:at] + chunk + _small_png()[at:]


def exif(random: Random) -> bytes:
    """A JPEG whose EXIF has an odd orientation, loops, or leads outside; or with senseless XMP and ICC."""
    orientation = struct.pack("<HHHHI", 1, 0x0112, random.choice((2, 3, 4)), 1, random.choice((0, 9, 255, 2**31)))
    looped = struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    outside = struct.pack("<H", 1) + struct.pack("<HHII", 0x0112, 3, 2**30, 2**31) + bytes(4)
    entries = struct.pack("<H", 65_535) + random.randbytes(1_000)
    tiff = b"II*\0" + struct.pack("<I", random.choice((8, 8, 8, 0, 2**32 - 1)))
    segment = random.choice(
        (
            *(b"Exif\0\0" + tiff + body for body in (orientation, looped, outside, entries)),
            b"http://ns.adobe.com/xap/1.0/\0" + b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>' * 50,
            b"ICC_PROFILE\0\1\1" + random.randbytes(500),
            b"Exif\0\0",
            b"Exif\0\0MM" + random.randbytes(60),
        )
    )
    told = len(segment) + random.choice((2, 2, 2, 0, 9_999))
    marker = random.choice((b"\xff\xe1", b"\xff\xe1", b"\xff\xe2"))
    return good()[:2] + marker + struct.pack(">H", told) + segment + good()[2:]


def many_scans(random: Random) -> bytes:
    """A progressive JPEG whose scans are repeated: little data, much work."""
    file = io.BytesIO()
    Image.new("RGB", (640, 480), (99, 50, 20)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    first, last = data.index(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:first] + data[first:last] * random.choice((2, 20, 100)) + data[last:]


KINDS: tuple[Callable[[Random], bytes], ...] = (
    truncated,
    flipped,
    huge_png,
    huge_jpeg,
    unfolding,
    polyglot,
    other_kind,
    modes,
    png_chunks,
    exif,
    many_scans,
)
