"""What may be concluded from two tensors, and what may not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from dermport.bundle.causes import FaultCode
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare, tensor_of
from dermport.server.comparing.candidate_faults import TURNS, turn_array, turn_back
from dermport.server.comparing.diagnosis import ORDERS, Diagnosis, DiagnosisInputs, diagnose
from dermport.server.comparing.likeness import Tensor, detail_agreement
from tests.factories import draw_photo

SPEC = Preprocessing(size=96)
PHOTO = draw_photo(2, 0, 320, 240)
TENSOR = prepare(PHOTO, SPEC).tensor


def _inquire(tensor: Tensor, photo: bytes | None = PHOTO, changed: bool | None = False, sent: bool = True) -> Diagnosis:
    server = TENSOR if photo is None else prepare(photo, SPEC).tensor
    tensor = np.ascontiguousarray(tensor)
    known = tensor if sent else None
    return diagnose(DiagnosisInputs(sha256_bytes(tensor.tobytes()), server, known, photo, SPEC, changed))


def _codes(found: Diagnosis) -> list[FaultCode]:
    return [fault.code for fault in found.faults]


def _stored(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    file = io.BytesIO()
    Image.open(io.BytesIO(PHOTO)).save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_every_orientation_that_is_ignored(orientation: int, sent: bool) -> None:
    data = _stored(orientation)
    ignored = tensor_of(Image.open(io.BytesIO(data)).convert("RGB"), SPEC)
    found = _inquire(ignored, data, sent=sent)
    assert _codes(found) == ["orientation-ignored"]
    assert found.faults[0].exact
    assert found.tensor is not None


@pytest.mark.parametrize("order", ORDERS[1:])
def test_every_order_of_channels(order: tuple[int, ...]) -> None:
    found = _inquire(TENSOR[:, :, list(order)])
    assert _codes(found) == ["channels-swapped"]
    assert "RGB"[order[0]] + "RGB"[order[1]] + "RGB"[order[2]] in found.faults[0].words
    assert found.faults[0].exact


def test_turned_without_reason() -> None:
    assert _codes(_inquire(np.rot90(TENSOR))) == ["turned"]
    assert _codes(_inquire(np.rot90(TENSOR), changed=True)) == ["orientation-lost"]


def test_turned_and_swapped_and_resized() -> None:
    data = _stored(6)
    stored = Image.open(io.BytesIO(data)).convert("RGB").resize((96, 96), Image.Resampling.NEAREST)
    found = _inquire(np.asarray(stored)[:, :, ::-1], data)
    assert _codes(found) == ["channels-swapped", "orientation-ignored", "resized-otherwise"]


@pytest.mark.parametrize("changed", [None, True])
def test_where_the_photo_may_be_stored_anew_other_filters_are_not_named(changed: bool | None) -> None:
    file = io.BytesIO()
    Image.open(io.BytesIO(PHOTO)).save(file, "JPEG", quality=70)
    found = _inquire(TENSOR, file.getvalue(), changed)
    assert _codes(found) == ([] if changed is None else ["re-compressed"])


def test_noise_that_no_mistake_makes_is_another_filter_at_most() -> None:
    noise = np.random.default_rng(0).integers(-3, 4, TENSOR.shape)
    found = _inquire((TENSOR + noise).clip(0, 255).astype(np.uint8))
    assert _codes(found) == ["resized-otherwise"]
    assert not found.faults[0].exact


def test_rounding_is_another_decoder() -> None:
    off = (np.indices(TENSOR.shape).sum(axis=0) % 2).astype(np.uint8)
    assert _codes(_inquire(np.where(TENSOR < 255, TENSOR + off, TENSOR))) == ["decoded-otherwise"]


def test_a_damaged_profile_is_no_profile() -> None:
    file = io.BytesIO()
    Image.open(io.BytesIO(PHOTO)).save(file, "JPEG", quality=95, icc_profile=b"no profile at all" * 20)
    data = file.getvalue()
    tensor = prepare(data, SPEC).tensor
    assert _codes(_inquire(np.zeros_like(tensor), data)) == ["blank"]
    assert _codes(_inquire(tensor[:, :, ::-1], data, sent=False)) == ["channels-swapped"]


def test_without_a_photo_there_is_only_the_hash_to_ask() -> None:
    planes = np.ascontiguousarray(TENSOR.transpose(2, 0, 1))
    found = diagnose(DiagnosisInputs(sha256_bytes(planes.tobytes()), TENSOR, TENSOR, None, SPEC, True))
    assert _codes(found) == ["hash-of-another-form"]
    assert "planes" in found.faults[0].words
    assert found.tensor is TENSOR
    assert diagnose(DiagnosisInputs("f" * 64, TENSOR, TENSOR, None, SPEC, True)) == Diagnosis((), None)


@pytest.mark.parametrize("orientation", TURNS)
def test_turning_arrays_as_pillow_does(orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    turn = TURNS[orientation]
    picture = Image.fromarray(pixels)
    wanted = np.asarray(picture if turn is None else picture.transpose(turn))
    assert np.array_equal(turn_array(pixels, orientation), wanted)
    assert np.array_equal(turn_back(wanted, orientation), pixels)


def test_detail_tells_photos_apart() -> None:
    other = prepare(draw_photo(2, 1, 320, 240), SPEC).tensor
    smooth = np.tile(np.linspace(0, 255, 96).astype(np.uint8)[:, None, None], (1, 96, 3))
    assert (detail_agreement(TENSOR, TENSOR // 2) or 0) > 0.9
    assert abs(detail_agreement(TENSOR, other) or 1) < 0.15
    assert detail_agreement(TENSOR, np.zeros_like(TENSOR)) is None
    assert detail_agreement(TENSOR, smooth // 8) is None
