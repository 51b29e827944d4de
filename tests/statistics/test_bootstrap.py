"""What is resampled: clusters, and blocks with their members."""

from __future__ import annotations

import numpy as np

from dermport.statistics.bootstrap import percentile_interval, resampled_blocks, resampled_clusters


def test_clusters_are_drawn_with_replacement_and_repeatably() -> None:
    drawn = resampled_clusters(5, 200)
    assert drawn.shape == (200, 5)
    assert set(drawn.ravel().tolist()) == set(range(5))
    np.testing.assert_array_equal(drawn, resampled_clusters(5, 200))


def test_members_are_drawn_from_their_own_block() -> None:
    blocks = [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]
    drawn = resampled_blocks(blocks, 100, np.random.default_rng(0))
    assert drawn.shape == (100, 2, 3)
    assert all(set(block) <= set(blocks[0]) or set(block) <= set(blocks[1]) for block in drawn.reshape(-1, 3).tolist())
    assert any((resample > 3).all() for resample in drawn), "whole blocks are drawn, too"


def test_interval_is_taken_over_the_first_axis() -> None:
    drawn = np.arange(101.0)[:, None] * [1, 10]
    np.testing.assert_allclose(percentile_interval(drawn, 0.9), [[5, 50], [95, 950]])
