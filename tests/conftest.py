"""What several tests share: one tiny bundle, trained and exported once for each test process that needs it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bundle.store import Bundle

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def shared_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny bundle; do not change it (see `tiny_bundle`)."""
    from tests.factories import make_bundle

    return make_bundle(tmp_path_factory.mktemp("shared") / "tiny")


@pytest.fixture
def tiny_bundle(shared_bundle: Bundle, tmp_path: Path) -> Bundle:
    """A copy of the tiny bundle, to change at will."""
    shutil.copytree(shared_bundle.path, tmp_path / "tiny")
    return Bundle.open(tmp_path / "tiny")
