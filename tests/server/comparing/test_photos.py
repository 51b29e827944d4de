"""The folder of kept photos on a disk that is full."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermport.errors import StorageError
from dermport.server.comparing.photos import KeptPhotos
from dermport.server.storage.base import utc_now
from tests.server.small_disk import small_disk

NOISE = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)


def test_full_disk_is_a_refusal_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        photos = KeptPhotos(disk / "photos")
        photos.write("0" * 32, NOISE)
        with pytest.raises(StorageError) as error:
            photos.write("1" * 32, NOISE)
        assert error.value.reason == "full"
        assert [path.name for path in (disk / "photos").iterdir()] == ["0" * 32 + ".png"]
        photos.remove("0" * 32)
        photos.remove("0" * 32)
        photos.write("1" * 32, NOISE)


def test_no_folder_is_no_photo(tmp_path: Path) -> None:
    photos = KeptPhotos(tmp_path / "photos")
    assert list(photos.files(utc_now())) == []
    photos.remove("0" * 32)
