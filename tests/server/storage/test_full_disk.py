"""A full disk: on a real small one where this process may mount it, else by SQLite's own limit of pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from dermport.errors import StorageError
from dermport.server.config import StorageConfig
from dermport.server.storage.comparisons import ComparisonStore, Filters
from dermport.server.storage.database import Database, open_database
from tests.server.comparing.made import comparison
from tests.server.postgres import Cluster
from tests.server.small_disk import small_disk

_LARGE = {f"label-{i}": 0.001 for i in range(998)}


def _large() -> Any:
    answer = comparison()
    said = answer.phone.said.model_copy(update={"probabilities": _LARGE})
    return answer.model_copy(update={"phone": answer.phone.model_copy(update={"said": said})})


def _fill(store: ComparisonStore) -> tuple[list[str], StorageError]:
    """Store until it is refused: what was acknowledged, and the refusal."""
    stored = []
    for _ in range(3000):
        answer = _large()
        try:
            store.add(answer, "f", None)
        except StorageError as error:
            return stored, error
        stored.append(answer.id)
    raise AssertionError("the disk did not fill up")


def _check(store: ComparisonStore) -> None:
    stored, error = _fill(store)
    assert error.reason == "full"
    assert "nothing was stored" in error.message or "has no room" in error.message
    assert {answer.id for answer in store.all(Filters())} == set(stored), "what is there is what was acknowledged"


def test_sqlite(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state", 3) as state:
        database = open_database(StorageConfig(state=state))
        store = ComparisonStore(database)
        ballast = state / "ballast"
        ballast.write_bytes(bytes(1 << 20))
        _check(store)
        ballast.unlink()
        assert store.add(comparison(), "f", None), "room again, and it stores again"
        database.close()


@pytest.mark.parametrize("made_before", [True, False])
def test_sqlite_that_cannot_even_begin(made_before: bool, tmp_path: Path) -> None:
    with small_disk(tmp_path / "state", 1) as state:
        if made_before:  # then there is no room for the shared memory file, which a reader needs, too
            open_database(StorageConfig(state=state)).close()
        with pytest.raises(OSError):
            (state / "ballast").write_bytes(bytes(2 << 20))
        database = open_database(StorageConfig(state=state))
        trouble = database.trouble()
        assert trouble
        assert trouble.reason == "full"
        with pytest.raises(StorageError, match="is full"):
            ComparisonStore(database).add(comparison(), "f", None)
        if made_before:
            assert ComparisonStore(database).page(Filters(), 10) == ((), None)
        (state / "ballast").unlink()
        assert ComparisonStore(database).add(comparison(), "f", None), "room again, and it stores"
        assert database.trouble() is None
        database.close()


def test_sqlite_by_its_own_limit(tmp_path: Path) -> None:
    """Where nothing can be mounted, this is what is left; the code path is the same."""
    open_database(StorageConfig(state=tmp_path)).close()

    def limit(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count = 300").close()

    event.listen(Engine, "connect", limit)
    try:
        _check(ComparisonStore(open_database(StorageConfig(state=tmp_path))))
    finally:
        event.remove(Engine, "connect", limit)


def test_postgresql(cluster: Cluster) -> None:
    with small_disk(cluster.folder / "small", 16) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(2 << 20))
        cluster.own(disk)
        cluster.sql(f"CREATE TABLESPACE small LOCATION '{disk}'")
        url = cluster.new_database("TABLESPACE small")
        database = Database(url)
        database.migrate()
        cluster.sql("CHECKPOINT")  # what the new database is made of is on the disk before that fills up
        _check(ComparisonStore(database))
        ballast.unlink()
        assert ComparisonStore(database).add(comparison(), "f", None), "room again, and it stores again"
        database.close()
        cluster.sql(f"DROP DATABASE {url.partition('@/')[2].partition('?')[0]}")
        cluster.sql("DROP TABLESPACE small")


def test_tables_that_found_no_room_are_missed_for_that_reason(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state", 0.0625) as state:
        database = open_database(StorageConfig(state=state))
        store = ComparisonStore(database)
        with pytest.raises(StorageError, match="is full; nothing was stored") as refused:
            store.page(Filters(), 10)
        assert refused.value.reason == "full"
        database.close()
