from __future__ import annotations

from pathlib import Path

import pytest

from training.sample.sample_set import draw_sample_set


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn set of 60 small photos in HAM10000's layout; tests must not change it."""
    folder = tmp_path_factory.mktemp("sample") / "set"
    draw_sample_set(folder, photos=60, seed=3, size=(120, 90))
    return folder
