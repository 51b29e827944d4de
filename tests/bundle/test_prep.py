"""``dermport-prep/1``: golden hashes, an independent implementation of the resize, and what is refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from PIL import Image

from dermport.bundle import photo_file, prep
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.vectors import FOLDER, RefusedPhoto, Vector, read_document, read_vectors
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
    wanted |= {f"subsampling-{one}.jpg" for one in ("420", "444", "422", "440", "411")} | {"ycck.jpg", "rgb.jpg"}
    wanted |= {"portrait-720x1280.jpg", "one-pixel-wide.png", "opaque-rgba.png", "interlaced.png", "restarts.jpg"}
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


def _png(*chunks: bytes, width: int = 64, height: int = 64, rows: bytes = bytes(64 * 193)) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = (_chunk(b"IDAT", zlib.compress(rows)), _chunk(b"IEND", b""))
    return b"".join((b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header), *chunks, *pixels))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _scans(count: int, width: int = 640, height: int = 480) -> bytes:
    """A progressive JPEG whose scans are repeated: little data, much work."""
    data = _encode(Image.new("RGB", (16, 16), (99, 50, 20)), "JPEG", progressive=True)
    first, last, frame = data.index(b"\xff\xda"), data.rindex(b"\xff\xd9"), data.index(b"\xff\xc2") + 5
    data = data[:frame] + struct.pack(">HH", height, width) + data[frame + 4 :]
    one = data[first : data.index(b"\xff", first + 2)]
    return data[:first] + one * (count - 10) + data[first:last] + data[last:]


def _segments(count: int) -> bytes:
    plain = _encode(picture(40, 30), "JPEG")
    return plain[:2] + b"\xff\xe5\0\2" * count + plain[2:]


REFUSED: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "empty": (lambda: b"", "empty", 400),
    "text": (lambda: b"not a photo", "unsupported-type", 415),
    "gif": (lambda: _encode(picture(40, 30), "GIF"), "unsupported-type", 415),
    "webp": (lambda: _encode(picture(40, 30), "WEBP"), "unsupported-type", 415),
    "jpeg magic only": (lambda: b"\xff\xd8\xff\xe0" + b"\0" * 100, "photo-damaged", 422),
    "pixel bomb": (lambda: _png(width=9000, height=9000), "too-many-pixels", 413),
    "huge bomb": (lambda: _png(width=60_000, height=60_000), "too-many-pixels", 413),
    "long side": (lambda: _png(width=40_000, height=2), "too-many-pixels", 413),
    "scan bomb": (lambda: _scans(36_879), "too-many-scans", 413),
    "scans of many pixels": (lambda: _scans(20, 8000, 7900), "too-many-scans", 413),
    "segments": (lambda: _segments(photo_file.MAX_SEGMENTS), "unsupported-form", 415),
    "chunks": (lambda: _png(_chunk(b"teSt", b"") * photo_file.MAX_CHUNKS), "unsupported-form", 415),
    "unfolding rows": (lambda: _png(rows=bytes(50_000_000)), "photo-damaged", 422),
    "second header": (lambda: _png(_chunk(b"IHDR", bytes(13))), "photo-damaged", 422),
    "many bytes": (lambda: b"\xff\xd8\xff" + bytes(prep.MAX_BYTES), "too-many-bytes", 413),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(name: str) -> None:
    make, code, status = REFUSED[name]
    with pytest.raises(PhotoError) as caught:
        prep.prepare(make(), SPEC)
    assert (caught.value.code, refusal_of(caught.value).status) == (code, status)
    assert str(caught.value)


@pytest.mark.parametrize("vector", read_document().refused, ids=lambda v: v.photo)
def test_refused_vector(vector: RefusedPhoto) -> None:
    data = (FOLDER / vector.photo).read_bytes()
    assert sha256_bytes(data) == vector.photo_sha256
    for take in (prep.prepare, partial(prep.prepare, draft=True)):
        with pytest.raises(PhotoError) as caught:
            take(data, SPEC)
        assert caught.value.code == vector.code


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt", b"iTXt"])
def test_what_no_pixel_needs_is_not_unfolded(kind: bytes) -> None:
    folded = _chunk(kind, b"x\0\0" + zlib.compress(bytes(20_000_000)))
    assert prep.prepare(_png(folded), SPEC).input_sha256 == prep.prepare(_png(), SPEC).input_sha256


@pytest.mark.parametrize("name", ["opaque-rgba", "opaque-grey-alpha", "opaque-palette"])
def test_alpha_that_is_opaque_everywhere_changes_nothing(name: str) -> None:
    data = (FOLDER / f"{name}.png").read_bytes()
    plain = _encode(Image.open(io.BytesIO(data)).convert("RGBA").convert("RGB"), "PNG")
    assert prep.prepare(data, SPEC).input_sha256 == prep.prepare(plain, SPEC).input_sha256


NOT_PREPARED: dict[str, Callable[[], bytes]] = {
    "64 MP": lambda: _png(width=8000, height=8000),
    "grey": lambda: _encode(picture(224, 224).convert("L"), "PNG"),
    "alpha": lambda: _encode(picture(224, 224).convert("RGBA"), "PNG"),
    "turned": lambda: _encode(
        picture(224, 224), "PNG", exif=b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    ),
}


@pytest.mark.parametrize("name", NOT_PREPARED)
def test_what_is_not_prepared_is_refused_before_it_is_decoded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = NOT_PREPARED[name]()
    monkeypatch.setattr(prep, "_png", lambda file: pytest.fail("It was decoded."))
    with pytest.raises(PhotoError) as caught:
        prep.prepared(data, SPEC)
    assert caught.value.code == "not-prepared"


def test_multi_picture_jpeg_of_a_phone_is_its_first_picture() -> None:
    file = io.BytesIO()
    picture(180, 120).save(file, "MPO", save_all=True, append_images=[picture(90, 60)], quality=85)
    assert prep.prepare(file.getvalue(), SPEC).tensor.shape == (224, 224, 3)


def test_damaged_exif_is_no_exif() -> None:
    plain = _encode(picture(180, 120), "JPEG", quality=85)
    damaged = _encode(picture(180, 120), "JPEG", quality=85, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert prep.prepare(damaged, SPEC).input_sha256 == prep.prepare(plain, SPEC).input_sha256
