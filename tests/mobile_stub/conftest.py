"""What the phone's tests share: the bundle of the golden vectors, and a server's double that can be busy or gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle.store import Bundle
from tests.mobile_stub.desk import Desk
from tests.mobile_stub.integration.golden import assemble


@pytest.fixture
def golden_bundle(tmp_path: Path) -> Bundle:
    """A bundle with two .tflite of a few kB, made without TensorFlow."""
    return assemble(tmp_path / "blotches")


@pytest.fixture
def desk(golden_bundle: Bundle) -> Desk:
    """A server's double; it agrees with whatever the phone says."""
    return Desk(golden_bundle)
