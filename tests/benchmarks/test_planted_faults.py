"""The command that plants faults: with the tiny bundle's own exports every cause is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import planted_faults
from benchmarks.plants import PLANTS
from dermport.bundle.store import Bundle
from tests.factories import draw_photo


def test_every_cause_is_named_with_real_runtimes(shared_exports: Bundle, tmp_path: Path) -> None:
    photos = [draw_photo(2, seed, 320, 240) for seed in (1, 2)]
    outcomes = planted_faults.measure(shared_exports, photos, tmp_path)
    wrong = {one.plant: (one.causes, one.codes) for one in outcomes if one.right < one.photos}
    assert wrong == {}
    assert sum(one.photos for one in outcomes) >= 2 * (len(PLANTS) - 1)
    assert max(one.unshared for one in outcomes) < 1e-12


def test_a_file_without_weights_is_not_altered() -> None:
    with pytest.raises(SystemExit, match="no 65,536 float32 weights"):
        planted_faults._weights_after(bytearray(np.full(300_000, np.nan, np.float32).tobytes()), 0)


def test_a_folder_without_photos(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="fewer than two photos"):
        planted_faults._photos(tmp_path, 5)
