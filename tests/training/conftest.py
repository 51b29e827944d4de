from __future__ import annotations

from pathlib import Path

import pytest

from dermport.training.sample.sample_set import draw_sample_set
from tests.shallow import shallow_networks

TRUNK_SIZE = 64


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn set of 60 small photos in HAM10000's layout; tests must not change it."""
    folder = tmp_path_factory.mktemp("sample") / "set"
    draw_sample_set(folder, photos=60, seed=3, size=(120, 90))
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """84 small drawn photos to train on; tests must not change them."""
    folder = tmp_path_factory.mktemp("drawn") / "photos"
    draw_sample_set(folder, photos=84, seed=5, size=(96, 72))
    return folder


@pytest.fixture(scope="session")
def trunk_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a random shallow trunk, of width 0.35 and `TRUNK_SIZE`, in place of ImageNet's."""
    import keras

    path = tmp_path_factory.mktemp("weights") / "trunk.weights.h5"
    keras.utils.set_random_seed(0)
    with shallow_networks():
        trunk = keras.applications.MobileNetV2((TRUNK_SIZE, TRUNK_SIZE, 3), alpha=0.35, include_top=False, weights=None)
    trunk.save_weights(path)
    return path
