"""Databases to test on: SQLite, and a PostgreSQL of this test run's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dermport.server.storage.database import Database
from tests.server.postgres import Cluster, binaries


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    installed = binaries()
    if installed is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    made = Cluster(installed)
    yield made
    made.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    made: Cluster = request.getfixturevalue("cluster")
    return made.new_database()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A migrated database."""
    opened = Database(url)
    opened.migrate()
    yield opened
    opened.close()
