"""Draw the small photos by which the web app finds out what a browser decodes as Pillow does.

``uv run --with simplejpeg python -m tests.mobile_stub.web.probes`` writes
``dermport/mobile_stub/web/engine/probes.json``. The photos are committed there, because encoders differ between
versions; simplejpeg writes samplings that Pillow cannot.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.web.kinds import as_ycck, jpeg, png, without_adobe
from dermport.bundle.atomic import write_json
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare

PROBES = Path(__file__).parents[3] / "dermport" / "mobile_stub" / "web" / "engine" / "probes.json"
SIDE = 37
"""Of a probe, in pixels: no multiple of 16, so that the edges count; the resize to the same size leaves it as it is."""


def picture() -> Image.Image:
    """Draw colours that change from pixel to pixel here, and slowly there: every rounding of a decoder shows."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    stripes = 127 + 127 * np.sin(0.09 * x * x + 0.3 * y)
    blotch = 255 * np.exp(-(((x - 13) / 9) ** 2 + ((y - 21) / 7) ** 2))
    channels = (stripes, 255 - blotch, 90 + 3 * x + 60 * np.cos(0.5 * y))
    return Image.fromarray(np.stack(channels, axis=2).clip(0, 255).astype(np.uint8))


def draw() -> Iterator[tuple[str, bytes]]:
    """Yield each kind of decoding, as the JavaScript port names it, and its photo."""
    image = picture()
    cmyk = jpeg(image.convert("CMYK"))
    yield "jpeg-grey", jpeg(image.convert("L"))
    yield "jpeg-ycc", jpeg(image, subsampling="4:4:4")
    yield "jpeg-ycc-21-11-11", jpeg(image, subsampling="4:2:2")
    yield "jpeg-ycc-22-11-11", jpeg(image, subsampling="4:2:0")
    yield "jpeg-ycc-22-11-11-progressive", jpeg(image, subsampling="4:2:0", progressive=True)
    yield from _rare(np.asarray(image))
    yield "jpeg-rgb", jpeg(image, keep_rgb=True)
    yield "jpeg-cmyk", cmyk
    yield "jpeg-ycck", as_ycck(cmyk)
    yield "jpeg-cmyk-plain", without_adobe(cmyk)
    yield "png", png(image)


def _rare(pixels: np.ndarray[Any, Any]) -> Iterator[tuple[str, bytes]]:
    simplejpeg: Any = import_module("simplejpeg")

    for sampling, factors in (("440", "12-11-11"), ("411", "41-11-11")):
        yield f"jpeg-ycc-{factors}", simplejpeg.encode_jpeg(pixels, quality=80, colorsubsampling=sampling)


def probe(kind: str, data: bytes) -> dict[str, Any]:
    """Return what the web app reads of one photo: its bytes, and the pixels' sha256 and mean by channel."""
    made = prepare(data, Preprocessing(size=SIDE))
    mean = [round(float(level), 3) for level in made.tensor.reshape(-1, 3).mean(axis=0)]
    return {"kind": kind, "photo": base64.b64encode(data).decode(), "sha256": made.input_sha256, "mean": mean}


def photo_of(listed: dict[str, Any]) -> bytes:
    """Return the photo of an entry of ``probes.json``."""
    return base64.b64decode(listed["photo"])


def main() -> None:
    """Write ``probes.json``."""
    write_json(PROBES, {"schema": "dermport-probes/1", "probes": [probe(*drawn) for drawn in draw()]})


if __name__ == "__main__":
    main()
