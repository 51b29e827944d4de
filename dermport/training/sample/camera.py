"""One photo of a lesion: where it lies in the frame, the light, the dermatoscope, the sensor, the JPEG."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from dermport.training.sample import marks
from dermport.training.sample.fields import Map
from dermport.training.sample.lesions import RADIUS, SIDE
from dermport.training.sample.pigment import Pigment, colour
from dermport.training.sample.skin import Person, healthy_skin


@dataclass(frozen=True)
class View:
    """How the lesion lies in a photo.

    Attributes:
        radius: The lesion's mean radius as a share of half the photo's height.
        turn: Rotation, radians.
        shift: Offset of the lesion's centre as shares of the photo's width and height.
    """

    radius: float
    turn: float
    shift: tuple[float, float]


def draw_view(radius: float, rng: np.random.Generator) -> View:
    """Return a random view of a lesion of about the given radius."""
    x, y = rng.normal(0, 0.05, 2).clip(-0.14, 0.14)
    zoomed = radius * float(rng.uniform(0.88, 1.14))
    return View(zoomed, float(rng.uniform(0, 2 * math.pi)), (float(x), float(y)))


def take_photo(lesion: Pigment, person: Person, view: View, size: tuple[int, int], rng: np.random.Generator) -> bytes:
    """Return a JPEG of the lesion on the person's skin.

    Skin and lesion are drawn at half `size` (width, height), hairs and noise at full size.
    """
    shape = (max(1, size[1] // 2), max(1, size[0] // 2))
    pigment = healthy_skin(person, rng, shape).plus(_place(lesion, view, shape))
    light = _light(rng, shape)
    half = _to_image(colour(pigment) * light)
    photo = half.resize(size, Image.Resampling.BICUBIC)
    photo = _focus(_with_marks(photo, person, rng), rng)
    noisy = _expose(photo, rng)
    if rng.random() < 0.25:
        noisy = noisy * np.asarray(marks.rim(rng, (size[1], size[0])))[..., None]
    stream = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=int(rng.integers(86, 96)))
    return stream.getvalue()


def _place(lesion: Pigment, view: View, shape: tuple[int, int]) -> Pigment:
    height, width = shape
    scale = RADIUS / (view.radius * height / 2)
    cosine, sine = scale * math.cos(view.turn), scale * math.sin(view.turn)
    x, y = width * (0.5 + view.shift[0]), height * (0.5 + view.shift[1])
    centre = (SIDE - 1) / 2
    # From a pixel of the photo to one of the lesion's map, as Image.transform wants it.
    inverse = (cosine, sine, centre - cosine * x - sine * y, -sine, cosine, centre + sine * x - cosine * y)
    affine, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    pictures = (Image.fromarray(one).transform((width, height), affine, inverse, bilinear) for one in lesion.maps())
    return Pigment(*(np.asarray(picture) for picture in pictures))


def _light(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / np.float32(shape[1]) - np.float32(0.5)
    slope = rng.normal(0, 0.10, 2)
    even: Map = 1 + slope[0] * x + slope[1] * y - rng.uniform(0, 0.35) * (x**2 + y**2)
    # Lamps and white balances differ from pink through neutral to violet.
    warmth, violet = rng.normal(0, 0.05), abs(rng.normal(0, 0.05))
    gains = rng.uniform(0.86, 1.06) * np.array([1 + warmth, 1 - violet, 1 - warmth + violet])
    return np.asarray(even[..., None] * gains, dtype=np.float32)


def _to_image(pixels: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray((pixels * 255).clip(0, 255).astype(np.uint8))


def _with_marks(photo: Image.Image, person: Person, rng: np.random.Generator) -> Image.Image:
    shade = round(255 * person.hair_shade)
    if coverage := marks.hairs(person, rng, photo.size):
        photo.paste((shade, round(shade * 0.8), round(shade * 0.65)), mask=coverage)
    if rng.random() < 0.08:
        photo.paste((40, 36, 40), mask=marks.ruler(rng, photo.size))
    if rng.random() < 0.12:
        photo.paste((250, 246, 244), mask=marks.bubbles(rng, photo.size))
    return photo


def _focus(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    blur = float(rng.uniform(0, 1.6)) * photo.width / 600
    return photo.filter(ImageFilter.GaussianBlur(blur)) if rng.random() < 0.35 else photo


def _expose(photo: Image.Image, rng: np.random.Generator) -> NDArray[np.float32]:
    width, height = photo.size
    grain = rng.standard_normal((height, width), dtype=np.float32) * np.float32(rng.uniform(1.0, 3.5))
    return np.asarray(photo, dtype=np.float32) + grain[..., None]
