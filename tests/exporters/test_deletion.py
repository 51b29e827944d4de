"""The deletion test on a model whose answer is known to lie in one corner of the photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.activation_map import nearest_cells
from dermport.exporters.deletion import ORDERS, blurred_cells, deletion_curves


def _photos(count: int) -> NDArray[np.uint8]:
    """Grey noise with a chequered corner, which a blur turns into plain grey."""
    random = np.random.default_rng(1)
    photos = random.integers(120, 136, (count, 32, 32, 3))
    photos[:, :8, :8] = (np.indices((8, 8)).sum(axis=0) % 2 * 255)[..., None]
    return photos.astype(np.uint8)


def _contrast(photos: NDArray[np.uint8]) -> NDArray[np.float32]:
    score = photos[:, :8, :8].astype(np.float32).std(axis=(1, 2, 3)) / 128
    return np.stack([score, 1 - score], axis=1)


def _maps(count: int, row: int, column: int) -> NDArray[np.float32]:
    maps = np.random.default_rng(2).normal(0, 0.01, (count, 4, 4, 2)).astype(np.float32)
    maps[:, row, column, 0] = 16
    return maps


def test_a_map_that_points_at_what_matters_ends_the_answer_first() -> None:
    photos = _photos(6)
    deletion = deletion_curves(_contrast, photos, _maps(6, 0, 0), steps=16)
    largest, random, smallest = (deletion.areas(order) for order in ORDERS)
    assert (largest < random).all()
    assert (random <= smallest).all()
    np.testing.assert_allclose(deletion.curves["largest first"][:, 0], _contrast(photos)[:, 0], rtol=1e-6)
    assert deletion.curves["largest first"][:, 1].max() < 0.2, "its one cell is gone"
    assert deletion.curves["smallest first"][:, -2].min() > 0.8, "its one cell is still there"
    assert deletion.shares[[0, -1]].tolist() == [0.0, 1.0]


def test_a_map_that_points_elsewhere_is_found_out() -> None:
    deletion = deletion_curves(_contrast, _photos(6), _maps(6, 3, 3), steps=16)
    assert deletion.curves["largest first"][:, 1].min() > 0.8


def test_only_the_cells_that_are_named_change() -> None:
    [photo] = _photos(1)
    changed = blurred_cells(photo, (4, 4), np.array([0, 5]))
    differs = np.unique(nearest_cells((4, 4), 32)[(changed != photo).any(axis=-1)])
    np.testing.assert_array_equal(differs, [0, 5])
    np.testing.assert_array_equal(blurred_cells(photo, (4, 4), np.array([], int)), photo)
