from __future__ import annotations

import numpy as np
import pytest

from dermport.statistics.skin_tone import BANDS, border_angle, lightness_and_yellowness, tone_group, tone_groups


@pytest.mark.parametrize(
    ("colour", "lightness", "yellowness"),
    [
        ((255, 255, 255), 100.0, 0.0),
        ((0, 0, 0), 0.0, 0.0),
        ((128, 128, 128), 53.585, 0.0),
        ((255, 0, 0), 53.24, 67.20),
        ((0, 0, 255), 32.30, -107.86),
    ],
)
def test_lab_of_known_colours(colour: tuple[int, int, int], lightness: float, yellowness: float) -> None:
    # as tabulated for sRGB under D65, e.g. by http://www.brucelindbloom.com (ColorCalculator)
    assert lightness_and_yellowness(np.array(colour, float)) == pytest.approx((lightness, yellowness), abs=0.02)


def _photo(skin: tuple[int, int, int]) -> np.ndarray:
    photo = np.full((64, 64, 3), skin, np.uint8)
    photo[16:48, 16:48] = (60, 40, 45)
    return photo


def test_the_border_counts_and_neither_the_lesion_nor_black_corners() -> None:
    photo = _photo((225, 185, 160))
    cornered = photo.copy()
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    cornered[np.hypot(x, y) > 1.05] = 8
    assert border_angle(cornered) == border_angle(photo) == border_angle(np.full_like(photo, (225, 185, 160)))


def test_darker_skin_has_a_smaller_angle() -> None:
    skins = [(245, 225, 215), (225, 185, 160), (190, 140, 105), (120, 80, 55), (75, 50, 40)]
    angles = [border_angle(_photo(skin)) for skin in skins]
    assert all(a is not None for a in angles)
    assert angles == sorted(angles, key=lambda a: -(a or 0))
    groups = tone_groups(np.stack([_photo(skin) for skin in skins]))
    order = [name for name, _ in BANDS]
    assert [order.index(group) for group in groups] == sorted(order.index(group) for group in groups)
    assert (groups[0], groups[-1]) == ("very light", "dark")


def test_a_photo_without_light_at_its_border_says_nothing() -> None:
    photo = np.zeros((64, 64, 3), np.uint8)
    photo[16:48, 16:48] = 200
    assert border_angle(photo) is None
    assert tone_groups(photo[None]) == ("unknown",)


@pytest.mark.parametrize(("angle", "group"), [(55.1, "very light"), (55.0, "light"), (10.0, "brown"), (-90, "dark")])
def test_bands_are_open_below(angle: float, group: str) -> None:
    assert tone_group(angle) == group
