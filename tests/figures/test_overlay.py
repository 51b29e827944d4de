"""The picture of a map: its colours, its sides, its legend."""

from __future__ import annotations

import numpy as np

from dermport.bundle.activation_map import nearest_cells, places, spread
from dermport.figures.overlay import colours, draw_overlay


def test_colours_rise_evenly_in_lightness() -> None:
    ramp = colours(np.linspace(0, 1, 32)).astype(float) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(ramp) > 0).all()
    np.testing.assert_array_equal(colours(np.array([-1.0, 0.0, 1.0, 2.0])), [[68, 1, 84]] * 2 + [[253, 231, 37]] * 2)


def test_the_photo_stays_beside_its_map() -> None:
    photo = np.full((64, 64, 3), 128, np.uint8)
    grid = np.zeros((2, 2), np.float32)
    grid[0, 1] = 5
    picture = np.asarray(draw_overlay(photo, grid, "Melanoma", 0.42))
    side = 320
    assert picture.shape[1] == 2 * side + 36
    np.testing.assert_array_equal(picture[12 : 12 + side, 12 : 12 + side], 128)
    drawn = picture[12 : 12 + side, 24 + side : 24 + 2 * side].astype(int)
    assert drawn[10, -10, 1] > drawn[-10, 10, 1] + 80, "the largest cell is at the top right, and bright"
    assert (picture[12 + side :] < 100).any(), "words and legend"


def test_cells_lie_where_mobilenet_sees() -> None:
    """Nine pixels to the lower right of the middle of its 32: cell i's centre lies at 32 i + 24.5."""
    for cells in (2, 6, 7):
        place = places(32 * cells, cells)
        for cell in range(cells):
            np.testing.assert_allclose(place[32 * cell + 24 : 32 * cell + 26].mean(), cell, atol=0.01)
    grid = np.arange(6, dtype=np.float32).reshape(2, 3)
    drawn = spread(grid, 96)
    assert drawn.shape == (96, 96)
    np.testing.assert_allclose((drawn[0, 0], drawn[-1, -1]), (0, 5))
    assert set(np.unique(nearest_cells((2, 3), 96))) == set(range(6))


def test_an_even_map_can_be_drawn() -> None:
    assert draw_overlay(np.zeros((400, 400, 3), np.uint8), np.full((7, 7), 2.0, np.float32), "Nevus", 1.0).width == 836
