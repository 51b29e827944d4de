"""Crops of other pictures: within the picture, always the same, and nothing lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.other_photos import CROPS, SHRUNK, crops, write
from dermport.bundle.manifest import Preprocessing
from dermport.errors import UsageError
from dermport.training.robustness.others import other_photos


def drawn(width: int, height: int) -> Image.Image:
    """A picture whose pixels say where they are: red across, green down, no blue."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x, y, 0 * x], axis=-1).astype(np.uint8))


@pytest.mark.parametrize(("width", "height"), [(200, 150), (240, 100), (90, 250)])
def test_crops_lie_within_the_picture_and_differ(width: int, height: int) -> None:
    found = [np.asarray(crop).astype(int) for crop in crops(drawn(width, height), seed=1)]
    assert len(found) == CROPS
    for crop in found:
        high, wide = crop.shape[:2]
        assert high == wide * 3 // 4
        assert (np.diff(crop[0, :, 0]) == 1).all()  # a crop beyond the edge would be black there
        assert (np.diff(crop[:, 0, 1]) == 1).all()
    assert len({(*crop[0, 0], *crop.shape) for crop in found}) > CROPS // 2


def test_the_same_pictures_give_the_same_crops(tmp_path: Path) -> None:
    paths = []
    for name, width in (("one", 200), ("two", 120)):
        drawn(width, 100).save(tmp_path / f"{name}.png")
        paths.append(tmp_path / f"{name}.png")
    for out in ("first", "second"):
        assert write(paths, tmp_path / out) == 2 * CROPS
    first, second = (sorted(path for path in (tmp_path / out).rglob("*.png")) for out in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    groups = other_photos(tmp_path / "first", Preprocessing(size=32))
    assert {name: len(tensors) for name, tensors in groups.items()} == dict.fromkeys(
        ("crops", "the same shrunk to 200 × 150"), 2 * CROPS
    )
    assert {Image.open(path).size for path in first if "shrunk" in path.parent.name} == {SHRUNK}


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError, match="out exists already"):
        write([], tmp_path / "out")
