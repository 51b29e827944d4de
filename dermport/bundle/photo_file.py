"""What the file of a photo says of itself, before anything in it is decoded: its form, its size, how much work it is.

Small files can ask for hours of work (36,879 scans in 512 kB) or for any amount of memory (zlib streams in PNG chunks),
and Pillow decodes damage without a word. So structure is read here first, in milliseconds for 32 MiB, and everything
that no pixel needs is left behind. ITU-T T.81 (JPEG) and the PNG specification (third edition) are the sources.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from dermport.errors import PhotoError

# libjpeg's own scripts write 10 scans for colour and 24 for CMYK; mozjpeg picks its script among 64 trial scans.
MAX_SCANS = 64
# Each scan passes over all pixels: as much work as the largest photo in a dozen scans.
MAX_SCANNED_PIXELS = 768_000_000
# 32 MiB in full segments are 512, or 16,384 in chunks of 2 kB; encoders write PNGs in chunks of 8 kB and more.
MAX_SEGMENTS = 4_096
MAX_CHUNKS = 16_384

_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_CODED_OTHERWISE = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF, 0xDE, 0xDF})
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
# Sampling factors, horizontal and vertical: of all components; of the first, where the second and third have 1 x 1.
_ALL_ALIKE = frozenset({0x11, 0x12, 0x21, 0x13, 0x31})
_LUMA = frozenset({0x11, 0x12, 0x21, 0x22, 0x41})
_EXIF = b"Exif\0\0"
# Entropy-coded data ends at a marker that is neither a stuffed byte, a restart nor a fill byte.
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_CHUNK = struct.Struct(">I4s")
_IHDR = struct.Struct(">IIBBBBB")
_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS"})
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
# Of each pass of an interlaced PNG: its first column and row, and the steps between columns and rows.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PLAIN = "Send a plain JPEG or an opaque 8-bit PNG."


@dataclass(frozen=True)
class PhotoFile:
    """What a photo's file says of itself.

    Attributes:
        kind: "JPEG" or "PNG".
        width: As stored, pixels.
        height: As stored, pixels.
        channels: A JPEG's components (1, 3 or 4); a PNG's channels with alpha, 1 for a palette.
        exif: The TIFF block of EXIF; empty where there is none.
        content: A JPEG as it is; of a PNG, signature, header, palette and transparency.
        keyed: Whether a PNG names a transparent colour (tRNS), or the alpha of each colour of its palette.
        packed: A PNG's pixels, in zlib's form.
    """

    kind: str
    width: int
    height: int
    channels: int
    exif: bytes
    content: bytes
    keyed: bool = False
    packed: bytes = b""


def read_photo(data: bytes) -> PhotoFile:
    """Read the structure of a JPEG or PNG.

    Raises:
        PhotoError: ``unsupported-type``, ``unsupported-form``, ``too-many-scans`` or ``photo-damaged``.
    """
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _read_jpeg(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _read_png(data)
    except (IndexError, ValueError, struct.error) as error:  # a length that leads beyond the end
        raise damaged("it ends too early") from error
    raise PhotoError(
        "The file is neither JPEG nor PNG.",
        code="unsupported-type",
        remedy="Send a JPEG (iPhone: Settings > Camera > Formats > Most Compatible) or a PNG without transparency.",
    )


def stored_pixels(data: bytes) -> int:
    """Return how many pixels the header of a photo promises; 0 where it has no readable one."""
    try:
        if not data.startswith(b"\xff\xd8\xff"):
            width, height = struct.unpack_from(">II", data, 16) if data.startswith(b"\x89PNG") else (0, 0)
            return int(width * height)
        start = next(start for marker, start, _ in _segments(data) if marker in _FRAMES)
        height, width = struct.unpack_from(">HH", data, start + 1)
        return int(width * height)
    except (PhotoError, StopIteration, IndexError, struct.error):  # it will be refused in its own words
        return 0


def damaged(why: str) -> PhotoError:
    """Return the refusal of a photo that is not as it was written."""
    return PhotoError(
        f"The photo is damaged or incomplete: {why}.", code="photo-damaged", remedy="Send the photo again, unedited."
    )


def unsupported(kind: str, why: str) -> PhotoError:
    """Return the refusal of a photo whose form ``dermport-prep/1`` leaves out."""
    return PhotoError(f"The {kind} is refused: {why}.", code="unsupported-form", remedy=_PLAIN)


def _read_jpeg(data: bytes) -> PhotoFile:
    frame, exif, scans, unsent = None, [], 0, {}
    for marker, start, end in _segments(data):
        if marker in _FRAMES:
            if frame:
                raise damaged("it has two frames")
            frame = _frame(data, start)
            unsent = {data[start + 6 + 3 * index]: set(range(64)) for index in range(frame[2])}
        elif marker == _APP1 and data.startswith(_EXIF, start):
            exif.append(data[start + len(_EXIF) : end])
        elif marker == _SOS:
            scans += 1
            _check_scans(scans, frame)
            _note_scan(data[start:end], unsent)
    if not frame or any(unsent.values()):  # as where it was cut between two scans, which no decoder notices
        raise damaged("scans of it are missing")
    width, height, components = frame
    return PhotoFile("JPEG", width, height, components, b"".join(exif), data)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of each segment's body, up to the end of the image; of scans, their head."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        if data[at] != 0xFF:
            raise damaged("there are bytes between its segments")
        while data[at] == 0xFF:  # any number of fill bytes
            at += 1
        marker, start = data[at], at + 1
        if marker == _EOI:
            return
        if marker in _CODED_OTHERWISE:
            raise unsupported("JPEG", "it is lossless, hierarchical or arithmetically coded")
        if marker < 0xC0 or 0xD0 <= marker <= _SOI:
            raise damaged(f"the marker {marker:02X} stands where none may")
        at = start + int.from_bytes(data[start : start + 2], "big")
        if at < start + 2 or at >= len(data):
            raise damaged("it ends too early")
        yield marker, start + 2, at
        if marker == _SOS:
            found = _END_OF_SCAN.search(data, at)
            if not found:
                raise damaged("it ends too early")
            at = found.start()
    raise unsupported("JPEG", f"it has more than {MAX_SEGMENTS:,} segments")


def _frame(data: bytes, start: int) -> tuple[int, int, int]:
    bits, height, width, components = struct.unpack_from(">BHHB", data, start)
    if bits != 8:
        raise unsupported("JPEG", f"it has {bits} bits a channel")
    if components not in (1, 3, 4):
        raise unsupported("JPEG", f"it has {components} components, and is neither grey, colour nor CMYK")
    if not width or not height:
        raise damaged("it has no pixels")
    factors = [data[start + 7 + 3 * index] for index in range(components)]
    if not _is_sampled_as_usual(factors):
        raise unsupported("JPEG", f"its components are sampled {' '.join(f'{one:02x}' for one in factors)}")
    return width, height, components


def _is_sampled_as_usual(factors: list[int]) -> bool:
    """Whether TurboJPEG has a name for the sampling: its decoder is the one that tells of damage."""
    luma, chroma = factors[0], set(factors[1:3])
    if len(set(factors)) == 1:
        return len(factors) == 1 or luma in _ALL_ALIKE
    if factors[3:] not in ([], [luma]):  # a CMYK's black is as fine as its first component
        return False
    return (chroma == {0x11} and luma in _LUMA) or (luma == 0x22 and chroma in ({0x12}, {0x21}))


def _check_scans(scans: int, frame: tuple[int, int, int] | None) -> None:
    if not frame:
        raise damaged("its pixels come before their size")
    if scans > MAX_SCANS or scans * frame[0] * frame[1] > MAX_SCANNED_PIXELS:
        raise PhotoError(
            f"The JPEG has {scans} scans or more of {frame[0]} x {frame[1]} pixels; at most {MAX_SCANS}, and "
            f"{MAX_SCANNED_PIXELS:,} pixels in all of them, are accepted.",
            code="too-many-scans",
            remedy="Save it as a baseline JPEG.",
        )


def plain_png(file: PhotoFile) -> bytes:
    """Return a PNG of what `file` has that a pixel needs, with its pixels unpacked, to the byte as many as it promises.

    Pillow takes any missing rows for black ones, and looks at no checksum of theirs.

    Raises:
        PhotoError: ``photo-damaged``.
    """
    size, stream = _unpacked_size(file), zlib.decompressobj()
    try:
        rows = stream.decompress(file.packed, size + 1)
    except zlib.error as error:
        raise damaged("its pixels cannot be unpacked") from error
    if len(rows) != size or stream.decompress(stream.unconsumed_tail, 1) or not stream.eof or stream.unused_data:
        raise damaged("it has more or fewer pixels than it says")
    return b"".join((file.content, _chunk(b"IDAT", zlib.compress(rows, 0)), _chunk(b"IEND", b"")))


def _unpacked_size(file: PhotoFile) -> int:
    """Return how many bytes the rows of a PNG are: each begins with its filter's number, and on a whole byte."""
    _, _, bits, colour, _, _, interlaced = _IHDR.unpack_from(file.content, 16)
    bits *= _CHANNELS[colour]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(file.width - x) // right), -(-(file.height - y) // down)) for x, y, right, down in passes)
    return sum(height * (1 + (width * bits + 7) // 8) for width, height in sizes if width > 0 and height > 0)


def _note_scan(head: bytes, unsent: dict[int, set[int]]) -> None:
    """Strike out the coefficients of which a scan sends the last bit, by component."""
    components, (first, last, bits) = head[1 : 1 + 2 * head[0] : 2], head[1 + 2 * head[0] :]
    for component in components:
        if component not in unsent:
            raise damaged("a scan has a component that is none")
        if not bits & 15:
            unsent[component].difference_update(range(first, last + 1))


def _read_png(data: bytes) -> PhotoFile:
    width, height, bits, colour = _IHDR.unpack_from(data, 16)[:4]
    exif, keyed, head, packed = b"", False, [data[:8]], []
    for kind, start, end in _chunks(data):
        if kind == b"acTL":
            raise unsupported("PNG", "it is animated")
        if kind == b"eXIf":
            exif = data[start : end - 4]
        if kind in _PIXEL_CHUNKS:
            _check_chunk(data, start, end)
            keyed = keyed or kind == b"tRNS"
            head.append(data[start - 8 : end])
        elif kind == b"IDAT":
            _check_chunk(data, start, end)
            packed.append(data[start : end - 4])
    if bits > 8:
        raise unsupported("PNG", f"it has {bits} bits a channel, which decoders round differently")
    if not width or not height or colour not in _CHANNELS:
        raise damaged("its header is none")
    return PhotoFile("PNG", width, height, _CHANNELS[colour], exif, b"".join(head), keyed, b"".join(packed))


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start of its body, end with its checksum) of each chunk, up to the last."""
    at = 8
    for index in range(MAX_CHUNKS):
        length, kind = _CHUNK.unpack_from(data, at)
        start, at = at + 8, at + 12 + length
        if at > len(data) or (index == 0) != (kind == b"IHDR"):
            raise damaged("it ends too early, or its header is none")
        yield kind, start, at
        if kind == b"IEND":
            return
    raise unsupported("PNG", f"it has more than {MAX_CHUNKS:,} chunks")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return b"".join((_CHUNK.pack(len(body), kind), body, zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")))


def _check_chunk(data: bytes, start: int, end: int) -> None:
    if zlib.crc32(memoryview(data)[start - 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
        raise damaged("a checksum is wrong")
