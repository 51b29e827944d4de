"""A server that hands out two versions of one model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.delivery.made import Site, make_release


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Two versions of one model for Android and browsers; 1.0.0 is live."""
    for version in ("1.0.0", "1.1.0"):
        make_release(tmp_path / "models" / version, version=version)
    return Site(tmp_path)
