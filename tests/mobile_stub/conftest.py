"""What the phone's tests share: the bundle of the golden vectors, and a server's double that can be busy or gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dermport.bundle.store import Bundle
from dermport.mobile_stub.model_folder import ModelFolder
from tests.mobile_stub.desk import Desk
from tests.mobile_stub.handset import Handset, Road
from tests.mobile_stub.integration.golden import assemble
from tests.server.delivery.made import Site, make_release


@pytest.fixture
def golden_bundle(tmp_path: Path) -> Bundle:
    """A bundle with two .tflite of a few kB, made without TensorFlow."""
    return assemble(tmp_path / "blotches")


@pytest.fixture
def desk(golden_bundle: Bundle) -> Desk:
    """A server's double; it agrees with whatever the phone says."""
    return Desk(golden_bundle)


@pytest.fixture
def handset(tmp_path: Path) -> Iterator[Handset]:
    """A phone that trusts a server with two versions of one model; 1.0.0 is live."""
    for version in ("1.0.0", "1.1.0"):
        make_release(tmp_path / "models" / version, version=version)
    site = Site(tmp_path)
    handset = Handset(site, ModelFolder(tmp_path / "phone"), Road(site))
    handset.folder.pin(site.signer.public.pem)
    yield handset
    site.database.close()
