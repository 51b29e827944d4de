"""Sessions and migrations, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from dermport.errors import StorageError, UsageError
from dermport.server.config import StorageConfig
from dermport.server.storage.comparisons import ComparisonStore, Filters
from dermport.server.storage.database import FILE, NEWEST, Database, alembic_config, open_database
from dermport.server.storage.migrations.env import METADATA, TABLES
from tests.server.comparing.made import comparison
from tests.server.postgres import Cluster


def _tables(database: Database) -> set[str]:
    with database.reading() as session:
        return set(inspect(session.connection()).get_table_names())


def test_migrated_tables_are_those_of_the_code(database: Database) -> None:
    with database.writing() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
    assert {row.__tablename__ for row in TABLES} == set(METADATA.tables)


def test_the_newest_version_is_alembics_head(database: Database) -> None:
    with database.reading() as session:
        connection = session.connection()
        assert ScriptDirectory.from_config(alembic_config(connection)).get_heads() == [NEWEST]
        assert MigrationContext.configure(connection).get_current_heads() == (NEWEST,)


def test_every_file_with_a_table_is_in_the_list() -> None:
    folder = Path(__file__).parents[3] / "dermport" / "server" / "storage"
    declaring = {path.stem for path in folder.glob("*.py") if "__tablename__" in path.read_text()}
    assert declaring == {row.__module__.rpartition(".")[2] for row in TABLES}


def test_migrating_again_and_back(database: Database) -> None:
    store = ComparisonStore(database)
    answer = comparison()
    store.add(answer, "f", None)
    database.migrate()
    assert store.get(answer.id) == answer
    with database.writing() as session:
        command.downgrade(alembic_config(session.connection()), "base")
    assert _tables(database) == {"alembic_version"}
    database.migrate()
    assert store.page(Filters(), 10) == ((), None)


def test_servers_that_start_at_once_migrate_one_after_the_other(url: str) -> None:
    databases = [Database(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(Database.migrate, databases))
    assert set(METADATA.tables) <= _tables(databases[0])
    for database in databases:
        database.close()


def test_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="newer dermport"):
        database.migrate()
    assert set(METADATA.tables) <= _tables(database)


def test_killed_on_the_way_a_migration_leaves_the_old_state(url: str) -> None:
    script = """
import os, signal, sys
from alembic import op
from dermport.server.storage.database import Database
create = op.create_table
def create_or_die(name, *rest):
    if name == "comparisons":
        os.kill(os.getpid(), signal.SIGKILL)
    return create(name, *rest)
op.create_table = create_or_die
Database(sys.argv[1]).migrate()
"""
    killed = subprocess.run([sys.executable, "-c", script, url], check=False, timeout=60)
    assert killed.returncode == -9
    database = Database(url)
    assert _tables(database) == set()
    database.migrate()
    assert set(METADATA.tables) <= _tables(database)
    database.close()


def test_what_was_acknowledged_outlives_kill_9(database: Database, url: str) -> None:
    script = """
import sys
from dermport.server.storage.comparisons import ComparisonStore
from dermport.server.storage.database import Database
from tests.server.comparing.made import comparison
from tests.server.postgres import Cluster
store = ComparisonStore(Database(sys.argv[1]))
while True:
    answer = comparison()
    store.add(answer, "f", answer.id)
    print(answer.id, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip() for _ in range(25)]
        writer.kill()
        acknowledged += [line.strip() for line in writer.stdout if len(line) == 33]
    stored = [answer.id for answer in ComparisonStore(database).all(Filters())]  # each is read whole
    assert set(acknowledged) <= set(stored)
    assert len(stored) - len(acknowledged) in (0, 1)


def test_an_error_in_the_block_leaves_nothing(database: Database) -> None:
    def write_and_fail() -> None:
        with database.writing() as session:
            session.execute(text("INSERT INTO activations VALUES (1, 'a', '1', '2026-01-01', 'x')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM activations")) == 0


def test_many_writers_at_once(database: Database) -> None:
    store = ComparisonStore(database)

    def write(_: int) -> bool:
        return all(store.add(comparison(), "f", None) for _ in range(5))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(write, range(8)))
    assert len(store.page(Filters(), 100)[0]) == 40


def test_a_reader_sees_one_state_and_holds_nobody_up(database: Database) -> None:
    count = text("SELECT count(*) FROM comparisons")
    with database.reading() as session:
        assert session.scalar(count) == 0
        ComparisonStore(database).add(comparison(), "f", None)
        assert session.scalar(count) == 0


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(StorageConfig(state=tmp_path / "state"))
    yield opened
    opened.close()


def test_sqlite_is_in_the_state_folder_of_its_owner(sqlite: Database, tmp_path: Path) -> None:
    assert (tmp_path / "state" / FILE).exists()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_sqlite_commits_reach_the_disk(sqlite: Database) -> None:
    with sqlite.reading() as session:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000)):
            assert session.scalar(text(f"PRAGMA {pragma}")) == value


def test_locked_database_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dermport.server.storage.sqlite.BUSY_SECONDS", 0.1)
    database = open_database(StorageConfig(state=tmp_path))
    store = ComparisonStore(database)
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError) as error:
        store.add(comparison(), "f", None)
    assert error.value.reason == "locked"
    other.execute("ROLLBACK")
    assert store.add(comparison(), "f", None)


def test_damaged_database_is_a_refusal(tmp_path: Path) -> None:
    database = open_database(StorageConfig(state=tmp_path))
    database.close()
    for leftover in tmp_path.glob(f"{FILE}-*"):
        leftover.unlink()
    (tmp_path / FILE).write_bytes(os.urandom(64 * 1024))
    with pytest.raises(StorageError) as error, database.reading() as session:
        session.execute(text("SELECT 1 FROM comparisons"))
    assert error.value.reason == "damaged"


def test_unreachable_postgresql_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as error:
        Database(f"postgresql://nobody@/none?host={tmp_path}").migrate()
    assert error.value.reason == "failed"


def test_postgresql_without_psycopg_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"psycopg.*\n.*dermport\[postgres\]"):
        Database("postgresql://nobody@/none")


def test_postgresql_that_was_restarted_is_found_again(cluster: Cluster) -> None:
    database = Database(cluster.new_database())
    database.migrate()
    store = ComparisonStore(database)
    assert store.add(comparison(), "f", None)
    cluster.restart()
    assert store.add(comparison(), "f", None)
    database.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://a/b", "sqlite://", "sqlite:///:memory:"])
def test_no_database(url: str) -> None:
    with pytest.raises(UsageError):
        Database(url)
