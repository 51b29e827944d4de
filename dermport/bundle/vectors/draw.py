"""Draw the photos of this folder and record what becomes of them: ``python -m dermport.bundle.vectors.draw``.

The photos are committed, because encoders differ between versions; the decoders that matter here must not.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import simplejpeg
from PIL import Image, ImageCms

from dermport.bundle.atomic import write_bytes, write_json
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare
from dermport.bundle.vectors import FOLDER, RefusedPhoto, Vector, Vectors

_SPECS = (Preprocessing(size=224), Preprocessing(size=224, crop="centre-square"), Preprocessing(size=96))
_XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>"""


def picture(width: int, height: int) -> Image.Image:
    """Draw a lopsided blotch on a gradient, so that every turn, flip and crop shows."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    blotch = np.exp(-(((x - 0.37) / 0.2) ** 2 + ((y - 0.58) / 0.3) ** 2))
    stripes = 0.5 + 0.5 * np.sin(40 * x * x + 25 * y)
    channels = (225 - 120 * blotch - 20 * y, 180 - 130 * blotch * stripes + 10 * x, 160 - 110 * blotch + 30 * x * y)
    return Image.fromarray(np.stack(channels, axis=2).clip(0, 255).astype(np.uint8))


def _jpeg(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **{"quality": 85, **options})
    return file.getvalue()


def _png(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **{"optimize": True, **options})
    return file.getvalue()


def _sampled(image: Image.Image, sampling: str) -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(image), 85, "RGB", sampling))


def _ycck(image: Image.Image) -> bytes:
    """Return a CMYK JPEG whose Adobe segment says that its colours are stored as YCCK."""
    data = bytearray(_jpeg(image.convert("CMYK")))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _interlaced(image: Image.Image) -> bytes:
    pixels = np.asarray(image)
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = [row for y, x, down, right in passes for row in pixels[y::down, x::right]]
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 9)
    header = struct.pack(">IIBBBBB", *image.size, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _profile() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes())
    profile[24:36] = bytes(12)  # the time of its making
    return bytes(profile)


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return exif.tobytes()


def draw() -> Iterator[tuple[str, bytes]]:
    """Yield each photo's file name and bytes."""
    small = picture(180, 120)
    for orientation in range(1, 9):
        yield f"exif-{orientation}.jpg", _jpeg(small, exif=_exif(orientation))
    yield "exif-9-is-1.jpg", _jpeg(small, exif=_exif(9))
    yield "xmp-orientation-is-not-read.jpg", _jpeg(small, xmp=_XMP)
    yield "grey.jpg", _jpeg(small.convert("L"))
    yield "cmyk.jpg", _jpeg(small.convert("CMYK"))
    yield "progressive.jpg", _jpeg(small, progressive=True)
    yield "subsampling-420.jpg", _jpeg(picture(301, 199), subsampling="4:2:0")
    yield "subsampling-444.jpg", _jpeg(picture(301, 199), subsampling="4:4:4")
    # Any profile will do: the stored values count, whatever colour space it says they are in.
    yield (
        "icc-is-ignored.jpg",
        _jpeg(small, icc_profile=_profile()),
    )
    yield "portrait-720x1280.jpg", _jpeg(picture(720, 1280), quality=50)
    yield "one-pixel-wide.png", _png(picture(1, 300))
    yield "one-pixel-high.jpg", _jpeg(picture(300, 1))
    yield "palette.png", _png(small.quantize(16))
    odd = picture(181, 121)
    for sampling in ("422", "440", "411"):
        yield f"subsampling-{sampling}.jpg", _sampled(odd, sampling)
    yield "rgb.jpg", _jpeg(odd, keep_rgb=True)
    yield "ycck.jpg", _ycck(odd)
    yield "progressive-grey.jpg", _jpeg(odd.convert("L"), progressive=True)
    yield "restarts.jpg", _jpeg(odd, restart_marker_blocks=3)
    yield "opaque-rgba.png", _png(odd.convert("RGBA"))
    yield "opaque-grey-alpha.png", _png(odd.convert("LA"))
    yield "opaque-palette.png", _png(odd.quantize(16), transparency=b"\xff" * 16)
    yield "interlaced.png", _interlaced(odd)
    yield "24-megapixel.jpg", _jpeg(picture(6000, 4000), quality=10)


def draw_refused() -> Iterator[tuple[str, str, bytes]]:
    """Yield the file name, the code and the bytes of photos that are refused."""
    small = picture(180, 120)
    plain, slow = _jpeg(small), _jpeg(small, progressive=True)
    first, last, frame = plain.index(b"\xff\xda"), slow.rindex(b"\xff\xda"), plain.index(b"\xff\xc0")
    scan, half = first + 14, (first + len(plain)) // 2
    end = b"\xff\xd9"
    files = {
        "cut.jpg": plain[:half],
        "cut-and-closed.jpg": plain[:half] + end,
        "zeros-inside.jpg": plain[:half] + bytes(200) + plain[half + 200 :],
        "lost-inside.jpg": plain[:half] + plain[half + 100 :],
        "no-pixels.jpg": plain[:first] + end,
        "no-pixels-in-scan.jpg": plain[:scan] + end,
        "no-end.jpg": plain[:-2],
        "more-after-pixels.jpg": plain[:-2] + plain[scan:half] + end,
        "restart-lost.jpg": _without_a_restart(_jpeg(small, restart_marker_blocks=3)),
        "progressive-cut-and-closed.jpg": slow[: (last + len(slow)) // 2] + end,
        "progressive-last-scan-missing.jpg": slow[:last] + end,
        "progressive-garbage-between-scans.jpg": slow[:last] + b"garbage" + slow[last:],
    }
    for name, data in files.items():
        yield name, "photo-damaged", data
    yield "65-scans.jpg", "too-many-scans", plain[:-2] + (plain[first:-2]) * 64 + end
    for name, marker, bits in _OTHER_FRAMES:
        other = bytes((0xFF, marker)) + plain[frame + 2 : frame + 4] + bytes((bits,))
        yield name, "unsupported-form", plain[:frame] + other + plain[frame + 5 :]
    yield "sampling-3x2.jpg", "unsupported-form", plain[: frame + 11] + b"\x32" + plain[frame + 12 :]
    yield from _refused_pngs(small)


# Name, marker of the start of frame, bits a channel (T.81, table B.1).
_OTHER_FRAMES = (
    ("12-bits.jpg", 0xC1, 12),
    ("lossless.jpg", 0xC3, 8),
    ("hierarchical.jpg", 0xC5, 8),
    ("arithmetic.jpg", 0xC9, 8),
    ("progressive-arithmetic.jpg", 0xCA, 8),
)


def _without_a_restart(data: bytes) -> bytes:
    start, end = data.index(b"\xff\xd2"), data.index(b"\xff\xd3")
    return data[:start] + data[end:]


def _refused_pngs(small: Image.Image) -> Iterator[tuple[str, str, bytes]]:
    plain, clear = _png(small), small.convert("RGBA")
    clear.putpixel((90, 60), (0, 0, 0, 254))
    half = len(plain) // 2
    header, rows = _chunk(b"IHDR", struct.pack(">IIBBBBB", 60, 60, 8, 2, 0, 0, 0)), zlib.compress(bytes(60 * 181 // 2))
    yield "cut.png", "photo-damaged", plain[:half]
    yield "wrong-checksum.png", "photo-damaged", plain[:half] + bytes((plain[half] ^ 1,)) + plain[half + 1 :]
    for name, packed in (("half-the-rows", rows), ("more-after-rows", zlib.compress(bytes(60 * 181)) + rows)):
        yield f"{name}.png", "photo-damaged", plain[:8] + header + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
    yield "transparent.png", "unsupported-form", _png(clear)
    yield "transparent-grey.png", "unsupported-form", _png(clear.convert("LA"))
    yield "transparent-palette.png", "unsupported-form", _png(small.quantize(16), transparency=b"\xff\xfe")
    yield "key-colour.png", "unsupported-form", _png(small, transparency=(1, 2, 3))
    yield "16-bits.png", "unsupported-form", _png(Image.new("I;16", (40, 30)))
    yield "animated.png", "unsupported-form", _png(small, save_all=True, append_images=[small.rotate(180)])


def main() -> None:
    """Write every photo and ``vectors.json``."""
    vectors = []
    for name, data in draw():
        write_bytes(FOLDER / name, data)
        for spec in _SPECS:
            made = prepare(data, spec).input_sha256
            vectors.append(Vector(photo=name, photo_sha256=sha256_bytes(data), preprocessing=spec, input_sha256=made))
    refused = []
    for name, code, data in draw_refused():
        write_bytes(FOLDER / "refused" / name, data)
        refused.append(RefusedPhoto(photo=f"refused/{name}", photo_sha256=sha256_bytes(data), code=code))
    document = Vectors(vectors=tuple(vectors), refused=tuple(refused))
    write_json(FOLDER / "vectors.json", document.model_dump(mode="json", by_alias=True))


if __name__ == "__main__":
    main()
