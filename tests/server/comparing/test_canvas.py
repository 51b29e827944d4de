"""What a real browser's canvas makes of a photo is named, although no filter here gives its very pixels."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.plants import display_p3, jpeg
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare
from dermport.server.comparing.diagnosis import Diagnosis, DiagnosisInputs, diagnose
from dermport.server.comparing.likeness import Tensor
from tests.factories import draw_photo
from tests.mobile_stub.web.app_site import chromium

SPEC = Preprocessing(size=96)
PHOTO = draw_photo(2, 0, 640, 480)
_DRAW = """async ([photo, size, way, quality]) => {
  const blob = await (await fetch(`data:image/jpeg;base64,${photo}`)).blob();
  const resized = {resizeWidth: size, resizeHeight: size, resizeQuality: quality};
  const image = await createImageBitmap(blob, way === 'bitmap' ? resized : {});
  const context = new OffscreenCanvas(size, size).getContext('2d');
  context.imageSmoothingQuality = quality;
  context.drawImage(image, 0, 0, size, size);
  return [...context.getImageData(0, 0, size, size).data];
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with chromium() as browser:
        yield browser.new_page()


def _inquire(page: Any, photo: bytes, way: str, quality: str, order: tuple[int, ...] = (0, 1, 2)) -> Diagnosis:
    data = page.evaluate(_DRAW, [base64.b64encode(photo).decode(), SPEC.size, way, quality])
    pixels = np.array(data, np.uint8).reshape(SPEC.size, SPEC.size, 4)
    tensor: Tensor = np.ascontiguousarray(pixels[:, :, list(order)])
    server = prepare(photo, SPEC).tensor
    return diagnose(DiagnosisInputs(sha256_bytes(tensor.tobytes()), server, tensor, photo, SPEC, photo_changed=False))


@pytest.mark.parametrize("quality", ["low", "high"])
@pytest.mark.parametrize("way", ["canvas", "bitmap"])
def test_the_canvas_resizes_otherwise(page: Any, way: str, quality: str) -> None:
    found = _inquire(page, PHOTO, way, quality)
    assert [fault.code for fault in found.faults] == ["resized-otherwise"], found.faults


def test_a_wide_profile_is_honoured_and_the_canvas_resizes_otherwise(page: Any) -> None:
    found = _inquire(page, jpeg(Image.open(io.BytesIO(PHOTO)), icc_profile=display_p3()), "canvas", "low")
    assert [fault.code for fault in found.faults] == ["profile-honoured", "resized-otherwise"], found.faults


def test_swapped_channels_of_a_canvas(page: Any) -> None:
    found = _inquire(page, PHOTO, "canvas", "low", order=(2, 1, 0))
    assert [fault.code for fault in found.faults] == ["channels-swapped", "resized-otherwise"], found.faults
