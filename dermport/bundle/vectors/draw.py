"""Draw the photos of this folder and record what becomes of them: ``python -m dermport.bundle.vectors.draw``.

The photos are committed, because encoders differ between versions; the decoders that matter here must not.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

from dermport.bundle.atomic import write_bytes, write_json
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare
from dermport.bundle.vectors import FOLDER, Vector, Vectors

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


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


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
        _jpeg(small, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()),
    )
    yield "portrait-720x1280.jpg", _jpeg(picture(720, 1280), quality=50)
    yield "one-pixel-wide.png", _png(picture(1, 300))
    yield "one-pixel-high.jpg", _jpeg(picture(300, 1))
    yield "palette.png", _png(small.quantize(16))
    yield "24-megapixel.jpg", _jpeg(picture(6000, 4000), quality=10)


def main() -> None:
    """Write every photo and ``vectors.json``."""
    vectors = []
    for name, data in draw():
        write_bytes(FOLDER / name, data)
        for spec in _SPECS:
            made = prepare(data, spec).input_sha256
            vectors.append(Vector(photo=name, photo_sha256=sha256_bytes(data), preprocessing=spec, input_sha256=made))
    write_json(FOLDER / "vectors.json", Vectors(vectors=tuple(vectors)).model_dump(mode="json", by_alias=True))


if __name__ == "__main__":
    main()
