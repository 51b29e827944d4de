"""The database: SQLite or PostgreSQL, its sessions, its migrations, and its failures as refusals."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from dermport.errors import RequestError, UnavailableError, UsageError
from dermport.server.config import StorageConfig

_LOG = logging.getLogger("dermport.storage")
MIGRATIONS = Path(__file__).with_name("migrations")
FILE = "dermport.db"
BUSY_SECONDS = 5
RETRY_SECONDS = 10.0
_WRITES = "dermport_writes"
# Any number that nobody else locks in the same database: two servers that start at once migrate one after the other.
_MIGRATION_LOCK = 0x6465726D
_FULL_SQLSTATE = "53100"
# Less than this is no room for SQLite's shared memory file, whose refusal is an "I/O error" instead of "full".
_FULL_BYTES = 64 * 1024
_POSTGRESQL = {
    "connect_timeout": BUSY_SECONDS,
    "tcp_user_timeout": 2000 * BUSY_SECONDS,
    "options": f"-c timezone=UTC -c lock_timeout={BUSY_SECONDS}s",
}


class Database:
    """One database, for any number of threads.

    A session that cannot be had or finished raises RequestError "storage-unavailable" (507: the disk is full; 503:
    locked, unreachable or damaged) and leaves nothing of what it wrote.

    Args:
        url: SQLAlchemy's, of SQLite (``sqlite:////var/lib/dermport/dermport.db``) or PostgreSQL (``postgresql://...``).

    Attributes:
        failures: How often that happened, whether or not a request was refused for it.

    Raises:
        UsageError: `url` is none, or of another kind.
    """

    def __init__(self, url: str | URL) -> None:
        parsed = _parsed(url)
        self.failures = 0
        self._folder = Path(parsed.database or "").parent if parsed.get_backend_name() == "sqlite" else None
        self._engine = _sqlite(parsed) if self._folder else _postgresql(parsed)
        self._writer = self._engine.execution_options(**{_WRITES: True})
        self._write = sessionmaker(self._writer, expire_on_commit=False)
        self._read = sessionmaker(_reader(self._engine), expire_on_commit=False)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a session that commits at the end of the ``with`` block, or rolls back where it raises.

        Once the block has ended, what it wrote is on the disk.
        """
        with self._refusals(), self._write.begin() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that sees one state of the database, whatever others write meanwhile."""
        with self._refusals(), self._read.begin() as session:
            yield session

    def migrate(self) -> None:
        """Bring the tables to this version's form; killed on the way, they keep the old one.

        Raises:
            UnavailableError: A newer version of dermport has changed the database.
        """
        with self._refusals(), self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            try:
                command.upgrade(alembic_config(connection), "head")
            except CommandError as error:
                raise UnavailableError(
                    f"The database cannot be brought to this version's form: {error}.",
                    remedy="Was it used by a newer dermport? Start that version, or restore a backup.",
                ) from error

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError, InternalError, PoolTimeoutError) as error:
            raise self._refusal(error) from error
        except DatabaseError as error:
            if type(error) is not DatabaseError:  # its subclasses are our mistakes or broken constraints
                raise
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> RequestError:
        cause = getattr(error, "orig", error)  # not the whole error: it quotes the statement
        _LOG.error("the database failed: %s: %s", type(cause).__name__, cause)
        self.failures += 1
        full = getattr(cause, "sqlstate", None) == _FULL_SQLSTATE or "is full" in str(cause)
        if not full and self._folder and "disk I/O error" in str(cause):
            full = shutil.disk_usage(self._folder).free < _FULL_BYTES
        return disk_full() if full else unavailable()


def open_database(storage: StorageConfig) -> Database:
    """Open and migrate the database that `storage` names, or SQLite in its state folder.

    Raises:
        UsageError: The URL is none, or the state folder cannot be made.
        RequestError: The database cannot be reached.
        UnavailableError: A newer version of dermport has changed the database.
    """
    try:
        storage.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"The state folder {storage.folder} cannot be made: {error.strerror}.") from error
    database = Database(storage.database or URL.create("sqlite", database=str(storage.folder.resolve() / FILE)))
    database.migrate()
    return database


def alembic_config(connection: Connection) -> Config:
    """Return what Alembic must know to work on `connection`."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def disk_full() -> RequestError:
    """Return the refusal of what cannot be stored for lack of room."""
    return RequestError(
        "The server cannot store this: its disk is full. Nothing was stored.",
        code="storage-unavailable",
        status=507,
        remedy="Keep it and send it again later; whoever runs the server must make room.",
        retry_after=6 * RETRY_SECONDS,
    )


def unavailable() -> RequestError:
    """Return the refusal of what cannot be stored or read for now."""
    return RequestError(
        "The server cannot reach its storage for now. Nothing was stored.",
        code="storage-unavailable",
        status=503,
        remedy="Send the request again after the time in Retry-After; predictions go on meanwhile.",
        retry_after=RETRY_SECONDS,
    )


def _parsed(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UsageError("The database's URL cannot be read.", remedy=_EXAMPLES) from error
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise UsageError("The database is neither a SQLite file nor PostgreSQL.", remedy=_EXAMPLES)
    return parsed.set(drivername="sqlite+pysqlite")


_EXAMPLES = "URLs look like sqlite:////var/lib/dermport/dermport.db or postgresql://user@host/name."


def _postgresql(url: URL) -> Engine:
    try:
        # A connection that the database has closed (a restart) is noticed before it is used.
        return create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=dict(_POSTGRESQL))
    except ImportError as error:
        raise UsageError("PostgreSQL needs psycopg.", remedy="pip install 'dermport[postgres]'") from error


def _reader(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite":  # where a transaction sees one state anyhow
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # Python's sqlite3 would begin transactions late; _begin_sqlite does it at once
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail at once, without waiting, if another wrote in between.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
