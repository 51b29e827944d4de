"""``dermport-prep/1``: golden hashes, an independent implementation of the resize, and what is refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from dermport.bundle import prep
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.vectors import FOLDER, Vector, read_vectors
from dermport.bundle.vectors.draw import picture
from dermport.errors import PhotoError
from dermport.server.problems import refusal_of

SPEC = Preprocessing(size=224)


@pytest.mark.parametrize(
    "vector", read_vectors(), ids=lambda v: f"{v.photo}-{v.preprocessing.size}-{v.preprocessing.crop}"
)
def test_vector(vector: Vector) -> None:
    data = (FOLDER / vector.photo).read_bytes()
    assert sha256_bytes(data) == vector.photo_sha256
    prepared = prep.prepare(data, vector.preprocessing)
    size = vector.preprocessing.size
    assert prepared.tensor.shape == (size, size, 3)
    assert prepared.tensor.dtype == np.uint8
    assert prepared.input_sha256 == sha256_bytes(prepared.tensor.tobytes()) == vector.input_sha256


def test_vectors_cover_what_phones_send() -> None:
    names = {vector.photo for vector in read_vectors()}
    wanted = {f"exif-{i}.jpg" for i in range(1, 9)} | {"grey.jpg", "cmyk.jpg", "progressive.jpg", "24-megapixel.jpg"}
    wanted |= {"subsampling-420.jpg", "subsampling-444.jpg", "portrait-720x1280.jpg", "one-pixel-wide.png"}
    assert wanted <= names


def _hash_of(name: str) -> str:
    return prep.prepare((FOLDER / name).read_bytes(), SPEC).input_sha256


def test_orientations_differ_and_other_sources_of_orientation_are_not_read() -> None:
    assert len({_hash_of(f"exif-{i}.jpg") for i in range(1, 9)}) == 8
    assert _hash_of("exif-9-is-1.jpg") == _hash_of("xmp-orientation-is-not-read.jpg") == _hash_of("exif-1.jpg")
    assert _hash_of("icc-is-ignored.jpg") == _hash_of("exif-1.jpg")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_turns_as_the_exif_standard_says(orientation: int) -> None:
    """EXIF 2.32, tag 274: where row 0 and column 0 of the stored picture belong in the shown one."""
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3)
    shown = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.T,
        6: stored[::-1].T,
        7: stored[::-1, ::-1].T,
        8: stored[:, ::-1].T,
    }[orientation]
    turn = prep._TRANSPOSE[orientation]
    image = Image.fromarray(stored)
    assert np.array_equal(np.asarray(image if turn is None else image.transpose(turn)), shown)


def _triangle_pass(rows: np.ndarray, size: int) -> np.ndarray:
    """Resample the second axis as the design says: triangle, support = scale, 22-bit fixed-point weights."""
    length = rows.shape[1]
    scale = length / size
    support = max(scale, 1.0)
    out = np.empty((rows.shape[0], size, rows.shape[2]), np.uint8)
    for i in range(size):
        centre = (i + 0.5) * scale
        first, last = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), length)
        weights = np.maximum(1 - np.abs((np.arange(first, last) - centre + 0.5) / support), 0)
        fixed = np.floor(weights / weights.sum() * (1 << 22) + 0.5).astype(np.int64)
        total = np.tensordot(rows[:, first:last].astype(np.int64), fixed, axes=([1], [0])) + (1 << 21)
        out[:, i] = (total >> 22).clip(0, 255)
    return out


@pytest.mark.parametrize("case", range(40))
def test_resize_equals_an_independent_implementation(case: int) -> None:
    random = np.random.default_rng(case)
    height, width = random.integers(1, 700, 2)
    size = int(random.integers(32, 300))
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    expected = _triangle_pass(_triangle_pass(pixels, size).transpose(1, 0, 2), size).transpose(1, 0, 2)
    assert np.array_equal(prep.prepare(file.getvalue(), Preprocessing(size=size)).tensor, expected)


def _encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _png_header(width: int, height: int) -> bytes:
    """A PNG that only claims its size: the way of a decompression bomb."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    )


def _animated() -> bytes:
    frames = [picture(40, 30), picture(40, 30).rotate(90)]
    return _encode(frames[0], "PNG", save_all=True, append_images=frames[1:])


REFUSED: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "empty": (lambda: b"", "empty", 400),
    "text": (lambda: b"not a photo", "unsupported-type", 415),
    "gif": (lambda: _encode(picture(40, 30), "GIF"), "unsupported-type", 415),
    "webp": (lambda: _encode(picture(40, 30), "WEBP"), "unsupported-type", 415),
    "truncated jpeg": (lambda: _encode(picture(400, 300), "JPEG")[:3000], "undecodable", 422),
    "jpeg magic only": (lambda: b"\xff\xd8\xff\xe0" + b"\0" * 100, "undecodable", 422),
    "truncated png": (lambda: _encode(picture(40, 30), "PNG")[:200], "undecodable", 422),
    "alpha": (lambda: _encode(picture(40, 30).convert("RGBA"), "PNG"), "unsupported-form", 415),
    "palette alpha": (lambda: _encode(picture(40, 30).quantize(8), "PNG", transparency=1), "unsupported-form", 415),
    "rgb key alpha": (lambda: _encode(picture(40, 30), "PNG", transparency=(1, 2, 3)), "unsupported-form", 415),
    "16 bit": (lambda: _encode(Image.new("I;16", (40, 30)), "PNG"), "unsupported-form", 415),
    "animated": (_animated, "unsupported-form", 415),
    "pixel bomb": (lambda: _png_header(9000, 9000), "too-many-pixels", 413),
    "huge bomb": (lambda: _png_header(60_000, 60_000), "undecodable", 422),
    "long side": (lambda: _png_header(40_000, 2), "too-many-pixels", 413),
    "many bytes": (lambda: b"\xff\xd8\xff" + bytes(prep.MAX_BYTES), "too-many-bytes", 413),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(name: str) -> None:
    make, code, status = REFUSED[name]
    with pytest.raises(PhotoError) as caught:
        prep.prepare(make(), SPEC)
    assert (caught.value.code, refusal_of(caught.value).status) == (code, status)
    assert str(caught.value)


def test_multi_picture_jpeg_of_a_phone_is_its_first_picture() -> None:
    file = io.BytesIO()
    picture(180, 120).save(file, "MPO", save_all=True, append_images=[picture(90, 60)], quality=85)
    assert prep.prepare(file.getvalue(), SPEC).tensor.shape == (224, 224, 3)


def test_damaged_exif_is_no_exif() -> None:
    plain = _encode(picture(180, 120), "JPEG", quality=85)
    damaged = _encode(picture(180, 120), "JPEG", quality=85, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert prep.prepare(damaged, SPEC).input_sha256 == prep.prepare(plain, SPEC).input_sha256
