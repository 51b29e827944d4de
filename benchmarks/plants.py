"""Faults planted on purpose: what a phone with each of them says of a photo, and the names that must be found."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from dermport.bundle.causes import Cause, FaultCode
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare, tensor_of
from dermport.bundle.store import Export
from dermport.bundle.wire import ComparisonRequest
from dermport.runtimes.base import Runtime
from dermport.server.comparing.case import Sent

Values = NDArray[Any]
_P3 = {
    b"rXYZ": (0.51512, 0.24120, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.15710, 0.06657, 0.78407),
}


@dataclass(frozen=True)
class FaultlessPhone:
    """A phone without faults: a file and what runs it."""

    export: Export
    runtime: Runtime

    def answers(self, values: Values) -> list[float]:
        """Return the probabilities of one prepared photo [S, S, 3]."""
        row: list[float] = self.runtime.predict(values[None])[0].clip(0, 1).tolist()
        return row

    def says(self, tensor: Values, photo: bytes, answers: list[float] | None = None, **other: Any) -> ComparisonRequest:
        """Return what it says of a photo of which it made `tensor`, or that `answers` are what its model gave."""
        record = self.export.record
        facts: dict[str, Any] = {
            "probabilities": dict(zip(self.runtime.labels, answers or self.answers(tensor), strict=True)),
            "input_sha256": sha256_bytes(np.ascontiguousarray(tensor).tobytes()),
            "photo_sha256": sha256_bytes(photo),
            "artifact_sha256": record.artifact_sha256,
            "model_sha256": record.bundle.model_sha256,
            "target": record.target,
            "precision": record.precision,
            "runtime": "planted",
            "app_version": "1",
        }
        return ComparisonRequest(**(facts | other))


@dataclass(frozen=True)
class Scene:
    """One photo, the one before it, and the phones that answer.

    Attributes:
        photo: JPEG or PNG.
        before: The photo that came before.
        spec: How it is to be prepared.
        sound: A phone with a sound float32 file.
        other: A phone with another export of the same model.
        old: A phone with an older version of the model, which the server knows.
        damaged: A phone whose file has damaged weights, which the server does not know.
        half: Answers as the sound file does in float16 arithmetic.
    """

    photo: bytes
    before: bytes
    spec: Preprocessing
    sound: FaultlessPhone
    other: FaultlessPhone
    old: FaultlessPhone
    damaged: FaultlessPhone
    half: Callable[[Values], list[float]]

    @cached_property
    def tensor(self) -> Values:
        """What should be made of the photo."""
        return prepare(self.photo, self.spec).tensor

    @cached_property
    def picture(self) -> Image.Image:
        """The photo, decoded."""
        return Image.open(io.BytesIO(self.photo)).convert("RGB")

    def sends(self, tensor: Values, photo: bytes | None = None) -> Sent:
        """Have the sound phone answer a wrong tensor of the photo (or of `photo`), and send both."""
        data = self.photo if photo is None else photo
        return Sent(self.sound.says(tensor, data), data, png(tensor))


@dataclass(frozen=True)
class Plant:
    """A fault.

    Attributes:
        name: What was planted.
        cause: The cause that must be named.
        codes: The faults that may be named first; empty where none must be.
        plant: Makes what the phone sends; None where this photo gives no occasion for it.
    """

    name: str
    cause: Cause
    codes: tuple[FaultCode, ...]
    plant: Callable[[Scene], Sent | None]


def png(tensor: Values) -> bytes:
    """Return a prepared photo as its PNG."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(tensor)).save(file, "PNG")
    return file.getvalue()


def jpeg(picture: Image.Image, quality: int = 95, **options: Any) -> bytes:
    """Return a picture as a JPEG."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


def display_p3() -> bytes:
    """Return an ICC profile with Display P3's primaries (and sRGB's curve, which it has)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(struct.unpack_from(">I", profile, 128)[0]):
        tag, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * entry)
        if tag in _P3:
            struct.pack_into(">3i", profile, offset + 8, *(round(value * 65536) for value in _P3[tag]))
    return bytes(profile)


def _sound(scene: Scene) -> Sent:
    return scene.sends(scene.tensor)


def _resized(resampling: Image.Resampling) -> Callable[[Scene], Sent]:
    def plant(scene: Scene) -> Sent:
        size = (scene.spec.size, scene.spec.size)
        return scene.sends(np.asarray(scene.picture.resize(size, resampling)))

    return plant


def _canvas(picture: Image.Image, size: int) -> Values:
    """Sample bilinearly without antialiasing, as drawImage of low quality does."""
    box = (0, 0, *picture.size)
    return np.asarray(picture.transform((size, size), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR))


def _drafted(scene: Scene) -> Sent | None:
    tensor = prepare(scene.photo, scene.spec, draft=True).tensor
    return None if np.array_equal(tensor, scene.tensor) else scene.sends(tensor)


def _on_its_side(scene: Scene) -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return jpeg(scene.picture, exif=exif)


def _exif_ignored(scene: Scene) -> Sent:
    photo = _on_its_side(scene)
    return scene.sends(tensor_of(Image.open(io.BytesIO(photo)).convert("RGB"), scene.spec), photo)


def _exif_lost(scene: Scene) -> Sent:
    photo = _on_its_side(scene)
    arrived = jpeg(Image.open(io.BytesIO(photo)), quality="keep")  # type: ignore[arg-type]
    tensor = prepare(photo, scene.spec).tensor
    return Sent(scene.sound.says(tensor, photo), arrived, png(tensor))


def _profile_honoured(canvas: bool) -> Callable[[Scene], Sent]:
    def plant(scene: Scene) -> Sent:
        profile = display_p3()
        photo = jpeg(scene.picture, icc_profile=profile)
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        stored = Image.open(io.BytesIO(photo)).convert("RGB")
        seen = ImageCms.profileToProfile(stored, source, ImageCms.createProfile("sRGB"))
        assert seen is not None
        return scene.sends(_canvas(seen, scene.spec.size) if canvas else tensor_of(seen, scene.spec), photo)

    return plant


def _cut_square(scene: Scene) -> Sent | None:
    if scene.picture.width == scene.picture.height:
        return None
    spec = scene.spec.model_copy(update={"crop": "centre-square"})
    return scene.sends(tensor_of(scene.picture, spec))


def _cut_middle(scene: Scene) -> Sent:
    width, height = scene.picture.size
    box = (width // 10, height // 10, width - width // 10, height - height // 10)
    return scene.sends(tensor_of(scene.picture.crop(box), scene.spec))


def _gamma(scene: Scene) -> Sent:
    return scene.sends((255 * (scene.tensor / 255) ** 1.3).round().astype(np.uint8))


def _by_hash_alone(scene: Scene) -> Sent:
    said = scene.sound.says(scene.tensor[:, :, ::-1], scene.photo)
    return Sent(said, scene.photo, None)


def _rgba_hashed(scene: Scene) -> Sent:
    opaque = np.full((*scene.tensor.shape[:2], 1), 255, np.uint8)
    sha256 = sha256_bytes(np.concatenate([scene.tensor, opaque], axis=2).tobytes())
    said = scene.sound.says(scene.tensor, scene.photo, input_sha256=sha256)
    return Sent(said, scene.photo, None)


def _stored_anew(scene: Scene) -> Sent:
    said = scene.sound.says(scene.tensor, scene.photo)
    return Sent(said, jpeg(scene.picture, quality=60), png(scene.tensor))


def _stale(scene: Scene) -> Sent:
    return scene.sends(prepare(scene.before, scene.spec).tensor)


def _another_arrives(scene: Scene) -> Sent:
    return Sent(scene.sound.says(scene.tensor, scene.photo), scene.before, png(scene.tensor))


def _phone(which: str) -> Callable[[Scene], Sent]:
    def plant(scene: Scene) -> Sent:
        phone: FaultlessPhone = getattr(scene, which)
        return Sent(phone.says(scene.tensor, scene.photo), scene.photo, png(scene.tensor))

    return plant


def _answering(answers: Callable[[Scene], list[float]]) -> Callable[[Scene], Sent]:
    """Have the sound phone name its sound file, and give other answers than that file's."""

    def plant(scene: Scene) -> Sent:
        said = scene.sound.says(scene.tensor, scene.photo, answers(scene))
        return Sent(said, scene.photo, png(scene.tensor))

    return plant


def _unknown(scene: Scene) -> Sent:
    said = scene.damaged.says(scene.tensor, scene.photo, model_sha256=None, target=None, precision=None)
    return Sent(said, scene.photo, png(scene.tensor))


_CANVAS_FAULTS: tuple[FaultCode, ...] = ("resized-otherwise",)
PLANTS = (
    Plant("nothing", "same", (), _sound),
    Plant(
        "canvas' drawImage instead of ours",
        "preprocessing",
        _CANVAS_FAULTS,
        lambda scene: scene.sends(_canvas(scene.picture, scene.spec.size)),
    ),
    Plant("bicubic resizing", "preprocessing", _CANVAS_FAULTS, _resized(Image.Resampling.BICUBIC)),
    Plant("Lanczos resizing", "preprocessing", _CANVAS_FAULTS, _resized(Image.Resampling.LANCZOS)),
    Plant("nearest neighbour", "preprocessing", _CANVAS_FAULTS, _resized(Image.Resampling.NEAREST)),
    Plant("draft decoding", "preprocessing", ("draft-decoding",), _drafted),
    Plant("EXIF orientation ignored", "preprocessing", ("orientation-ignored",), _exif_ignored),
    Plant("BGR", "preprocessing", ("channels-swapped",), lambda scene: scene.sends(scene.tensor[:, :, ::-1])),
    Plant("BGR, tensor not sent", "preprocessing", ("channels-swapped",), _by_hash_alone),
    Plant(
        "BGR and canvas",
        "preprocessing",
        ("channels-swapped",),
        lambda scene: scene.sends(_canvas(scene.picture, scene.spec.size)[:, :, ::-1]),
    ),
    Plant("P3 profile honoured", "preprocessing", ("profile-honoured",), _profile_honoured(False)),
    Plant("P3 profile honoured, canvas", "preprocessing", ("profile-honoured",), _profile_honoured(True)),
    Plant("cropped to the square", "preprocessing", ("crop-added",), _cut_square),
    Plant("cut out of the middle", "preprocessing", ("cropped-otherwise",), _cut_middle),
    Plant("gamma", "preprocessing", ("colours-otherwise",), _gamma),
    Plant("blank tensor", "preprocessing", ("blank",), lambda scene: scene.sends(np.zeros_like(scene.tensor))),
    Plant("RGBA bytes hashed", "preprocessing", ("hash-of-another-form",), _rgba_hashed),
    Plant("photo stored anew on the way", "photo-changed", ("re-compressed",), _stored_anew),
    Plant("EXIF lost on the way", "photo-changed", ("orientation-lost",), _exif_lost),
    Plant("stale photo", "photo-changed", ("stale-photo",), _stale),
    Plant("another photo arrives", "photo-changed", ("another-photo",), _another_arrives),
    Plant("older version", "model", ("older-version",), _phone("old")),
    Plant("another precision", "artifact", (), _phone("other")),
    Plant("damaged weights", "artifact", ("damaged-file",), _phone("damaged")),
    Plant("unknown file", "unexplained", ("unknown-file",), _unknown),
    Plant(
        "normalised twice (0..1)",
        "runtime",
        ("normalised-twice",),
        _answering(lambda scene: scene.sound.answers(scene.tensor.astype(np.float32) / np.float32(255))),
    ),
    Plant(
        "normalised twice (-1..1)",
        "runtime",
        ("normalised-twice",),
        _answering(
            lambda scene: scene.sound.answers(scene.tensor.astype(np.float32) / np.float32(127.5) - np.float32(1))
        ),
    ),
    Plant(
        "BGR after hashing",
        "runtime",
        ("fed-swapped-channels",),
        _answering(lambda scene: scene.sound.answers(np.ascontiguousarray(scene.tensor[:, :, ::-1]))),
    ),
    Plant("float16 delegate", "runtime", ("half-precision",), _answering(lambda scene: scene.half(scene.tensor))),
    Plant(
        "damaged in memory",
        "runtime",
        ("broken-runtime", "half-precision"),
        _answering(lambda scene: scene.damaged.answers(scene.tensor)),
    ),
    Plant(
        "old file still open", "runtime", ("another-file",), _answering(lambda scene: scene.old.answers(scene.tensor))
    ),
)
