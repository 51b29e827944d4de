"""The photos that are sent: real ones or drawn ones, enlarged to a camera's size, or prepared by the client."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.peers.model import Form
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare
from dermport.errors import UsageError
from dermport.training.sample.sample_set import draw_sample_set

COUNT = 64
NOISE = 12  # levels: a photo of 12 MP then has about 3 MB, as a telephone's has
DRAWN = Path("build/benchmarks/photos")


@dataclass(frozen=True)
class RequestPhoto:
    """What a request carries.

    Attributes:
        data: A JPEG or PNG.
        media: Its media type.
        form: How it is to be prepared.
    """

    data: bytes
    media: str = "image/jpeg"
    form: Form = "photo"


@dataclass(frozen=True)
class RequestPhotos:
    """Photos of one kind.

    Attributes:
        name: ``600x450``, say.
        photos: The photos.
    """

    name: str
    photos: tuple[RequestPhoto, ...]

    @property
    def kilobytes(self) -> float:
        """The mean size of a photo."""
        return sum(len(photo.data) for photo in self.photos) / len(self.photos) / 1000


def stored_photos(folder: Path | None, count: int = COUNT) -> RequestPhotos:
    """Return the first `count` JPEG below `folder`; without one, 600x450 photos that are drawn once and kept.

    Raises:
        UsageError: There is no JPEG.
    """
    folder = folder or drawn_photos()
    paths = sorted(folder.rglob("*.jpg"))[:count]
    if not paths:
        raise UsageError(f"There is no .jpg below {folder}.", remedy="Name a folder of photos with --photos.")
    photos = tuple(RequestPhoto(path.read_bytes()) for path in paths)
    width, height = Image.open(io.BytesIO(photos[0].data)).size
    return RequestPhotos(f"{width}x{height}", photos)


def drawn_photos() -> Path:
    """Return the folder of the drawn photos, drawn now unless they are there already."""
    if not DRAWN.exists():
        DRAWN.parent.mkdir(parents=True, exist_ok=True)
        draw_sample_set(DRAWN, photos=COUNT, seed=0)
    return DRAWN


def enlarged(photos: Sequence[RequestPhoto], width: int, height: int) -> RequestPhotos:
    """Return the photos as a camera of that many pixels would give them: noise makes them as heavy as real ones."""
    rng = np.random.default_rng(0)
    name = f"{width * height / 1e6:.0f} MP"
    return RequestPhotos(name, tuple(RequestPhoto(_enlarge(photo.data, (width, height), rng)) for photo in photos))


def prepared_by_client(photos: RequestPhotos, spec: Preprocessing) -> RequestPhotos:
    """Return the photos as a client sends them that has prepared them itself."""
    return RequestPhotos(
        "prepared", tuple(RequestPhoto(_png(photo.data, spec), "image/png", "prepared") for photo in photos.photos)
    )


def drafted(photos: RequestPhotos) -> RequestPhotos:
    """Return the photos, to be decoded at a fraction of their size."""
    return RequestPhotos(f"{photos.name}, draft", tuple(replace(photo, form="draft") for photo in photos.photos))


def _enlarge(data: bytes, size: tuple[int, int], rng: np.random.Generator) -> bytes:
    large = np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize(size, Image.Resampling.BICUBIC), np.int16)
    noise = rng.integers(-NOISE, NOISE + 1, large.shape, np.int16)
    file = io.BytesIO()
    Image.fromarray((large + noise).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _png(data: bytes, spec: Preprocessing) -> bytes:
    file = io.BytesIO()
    Image.fromarray(prepare(data, spec).tensor).save(file, "PNG")
    return file.getvalue()
