"""The picture of two tensors: what is in it, and what its text says."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from dermport.server.comparing.picture import difference_png

SERVER = np.full((64, 64, 3), 100, np.uint8)


def _panels(png: bytes) -> tuple[Image.Image, dict[str, str]]:
    picture = Image.open(io.BytesIO(png))
    return picture, picture.text  # type: ignore[attr-defined]


def test_the_largest_difference_is_white_and_equal_pixels_are_black() -> None:
    phone = SERVER.copy()
    phone[:16] += 5
    phone[16:32, :, 0] -= 2
    picture, text = _panels(difference_png(phone, SERVER))
    assert (text["max_level"], text["pixels"], text["amplified"]) == ("5", "0.5000", "51.000")
    assert float(text["mean_level"]) == pytest.approx(5 / 4 + 2 / 12, abs=1e-3)
    third = picture.width // 3
    shown = np.asarray(picture)[:, 2 * third :]
    colours = {tuple(int(level) for level in colour) for colour in shown[60:200].reshape(-1, 3)}
    assert {(255, 255, 255), (102, 0, 0), (0, 0, 0)} <= colours


def test_panels_show_the_tensors_as_they_are() -> None:
    phone = np.zeros((64, 64, 3), np.uint8)
    phone[:, :, 0] = 200
    pixels = np.asarray(Image.open(io.BytesIO(difference_png(phone, SERVER))))
    assert tuple(pixels[150, 150]) == (200, 0, 0)
    assert tuple(pixels[150, 150 + pixels.shape[1] // 3]) == (100, 100, 100)


def test_equal_tensors() -> None:
    _, text = _panels(difference_png(SERVER, SERVER))
    assert (text["max_level"], text["amplified"]) == ("0", "1.000")
