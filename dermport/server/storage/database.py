"""The database: SQLite or PostgreSQL, its sessions, its migrations, and why it fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from dermport.errors import StorageError, UsageError
from dermport.server.config import StorageConfig
from dermport.server.storage.folder import make_state
from dermport.server.storage.sqlite import BUSY_SECONDS, WRITES, SqliteFile

if TYPE_CHECKING:
    from alembic.config import Config

_LOG = logging.getLogger("dermport.storage")
MIGRATIONS = Path(__file__).with_name("migrations")
# Read off the file's name: Alembic, which takes long to import, is for databases that are not there yet.
NEWEST = max(file.name for file in (MIGRATIONS / "versions").glob("m*.py"))[1:5]
FILE = "dermport.db"
# Any number that nobody else locks in the same database: two servers that start at once migrate one after the other.
_MIGRATION_LOCK = 0x6465726D
_FULL_SQLSTATE = "53100"
_STATE = text("SELECT id FROM state")
_VERSION = text("SELECT version_num FROM alembic_version")
_POSTGRESQL = {
    "connect_timeout": BUSY_SECONDS,
    "tcp_user_timeout": 2000 * BUSY_SECONDS,
    "options": f"-c timezone=UTC -c lock_timeout={BUSY_SECONDS}s",
}


class Database:
    """One database, for any number of threads.

    A session that cannot be had or finished raises StorageError and leaves nothing of what it wrote. A SQLite file that
    goes while it is used is missed by the next session; the same file, or another of the same state, is used again once
    it is back. Where its disk is full, sessions that read still do.

    Args:
        url: SQLAlchemy's, of SQLite (``sqlite:////var/lib/dermport/dermport.db``) or PostgreSQL (``postgresql://...``).
        state_id: Of the state that is meant, where it is known: then no file is made, and another state is refused.

    Attributes:
        failures: How often a session failed, whether or not a request was refused for it.
        state_id: Of the state that this is, once it is migrated.

    Raises:
        UsageError: `url` is none, or of another kind.
        StorageError: SQLite's file cannot be made.
    """

    def __init__(self, url: str | URL, state_id: str | None = None) -> None:
        parsed = _parsed(url)
        self.failures = 0
        self.state_id = state_id
        self._is_claimed = state_id is not None
        self._name = parsed.render_as_string(hide_password=True)
        self._trouble: StorageError | None = None
        self._migrated = False
        self._looking = threading.RLock()
        is_file = parsed.get_backend_name() == "sqlite"
        self._file = SqliteFile(Path(parsed.database or ""), create=state_id is None) if is_file else None
        self._engine = self._file.engine if self._file else _postgresql(parsed)
        self._writer = self._engine.execution_options(**{WRITES: True})
        self._write = sessionmaker(self._writer, expire_on_commit=False)
        self._read = sessionmaker(_reader(self._engine), expire_on_commit=False)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a session that commits at the end of the ``with`` block, or rolls back where it raises.

        Once the block has ended, what it wrote is on the disk.
        """
        with self._refusals():
            self._look()
            if not self._migrated:  # it could not be at the start
                self._migrate()
            with self._write.begin() as session:
                yield session
            self._is_well()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that sees one state of the database, whatever others write meanwhile."""
        with self._refusals():
            self._look()
            with self._reader() as session:
                yield session
            if self._trouble and self._trouble.reason != "full":
                self._is_well()

    def migrate(self) -> None:
        """Bring the tables to this version's form; killed on the way, they keep the old one.

        Raises:
            StorageError: It cannot be had; or a newer version of dermport has changed it.
        """
        with self._refusals():
            self._look()
            self._migrate()

    def trouble(self) -> StorageError | None:
        """Return why nothing can be stored now, as far as that is known without trying; None where it can."""
        try:
            with self._refusals():
                self._look()
        except StorageError as error:
            return error
        if self._trouble and self._trouble.reason == "gone":
            self._is_well()
        return self._trouble

    @property
    def file(self) -> Path | None:
        """SQLite's file; None for another database."""
        return self._file.path if self._file else None

    def connect(self) -> Connection:
        """Return a connection, to be closed, whose every statement sees the present state."""
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _look(self) -> None:
        """Raise where SQLite's file went, or another state's is in its place."""
        if self._file is None or self._file.is_known():
            return
        with self._looking:
            if not self._file.is_known():
                self._check_state()
                self._file.look_again()

    def _check_state(self) -> None:
        """Raise where the file that is there now is another state's."""
        self._engine.dispose()
        with self._engine.connect() as connection:
            try:
                found = connection.scalar(_STATE)
            except OperationalError:
                found = None
        if self.state_id not in (None, found):
            raise self._other_state()

    def _migrate(self) -> None:
        with self._looking:
            with self._reader() as session:
                is_new = _version(session.connection()) != NEWEST
            if is_new and self._is_claimed:
                raise self._other_state()
            if is_new:
                self._upgrade()
            with self._reader() as session:
                found = session.scalar(_STATE)
            if self._is_claimed and found != self.state_id:
                raise self._other_state()
            self.state_id, self._migrated = found, True

    def _other_state(self) -> StorageError:
        return StorageError(
            f"{self._shown} is not the database that this server began with.",
            reason="gone",
            remedy="Put that one back, with the signing key beside it; or restart the server.",
        )

    def _upgrade(self) -> None:
        from alembic import command
        from alembic.util.exc import CommandError

        with self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            try:
                command.upgrade(alembic_config(connection), "head")
            except CommandError as error:
                raise StorageError(
                    f"{self._shown} cannot be brought to this version's form: {error}.",
                    reason="newer",
                    remedy="Was it used by a newer dermport? Start that version, or restore a backup.",
                ) from error

    @contextmanager
    def _reader(self) -> Iterator[Session]:
        with ExitStack() as stack:
            try:
                session = stack.enter_context(self._read.begin())
                session.connection()
            except OperationalError as error:
                if self._file is None or (refusal := self._refusal(error)).reason != "full":
                    raise
                self._say(refusal)
                session = stack.enter_context(Session(self._file.snapshot))
            yield session

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            self._note(error)
            raise
        except (OperationalError, InterfaceError, InternalError, PoolTimeoutError) as error:
            raise self._note(self._refusal(error)) from error
        except DatabaseError as error:
            # Its subclasses are our mistakes or broken constraints, but that tables may be missing where nothing could
            # be stored yet.
            if type(error) is not DatabaseError and not (isinstance(error, ProgrammingError) and not self._migrated):
                raise
            raise self._note(self._refusal(error)) from error

    def _note(self, error: StorageError) -> StorageError:
        self.failures += 1
        if self._migrated:  # else whoever opens it is told by the error itself
            self._say(error)
        return error

    def _say(self, error: StorageError) -> None:
        if self._trouble is None or self._trouble.reason != error.reason:
            _LOG.error("the database failed: %s", error.message)
        self._trouble = error

    def _is_well(self) -> None:
        if self._trouble:
            _LOG.warning("the database can be used again")
            self._trouble = None

    def _refusal(self, error: Exception) -> StorageError:
        cause = getattr(error, "orig", error)  # not the whole error: it quotes the statement
        if self._file and self._trouble and not self._migrated and "no such table" in str(cause):
            return self._trouble  # what kept the tables from being made
        if self._file:
            return self._file.refusal(str(cause))
        said = str(cause).strip().partition("\n")[0].rstrip(".")
        if getattr(cause, "sqlstate", None) == _FULL_SQLSTATE:
            return StorageError(f"{self._name} has no room: {said}.", reason="full", remedy="Make room on its disk.")
        return StorageError(
            f"{self._name} cannot be used: {said}.", reason="failed", remedy="Does it run, and may this user use it?"
        )

    @property
    def _shown(self) -> str:
        return str(self._file.path) if self._file else self._name


def open_database(storage: StorageConfig, *, create: bool = True) -> Database:
    """Open and migrate the database that `storage` names, or SQLite in its state folder.

    Where its disk is full it opens all the same, and migrates when it first can write.

    Args:
        storage: Names it.
        create: Whether state folder and file are made where there are none.

    Raises:
        UsageError: The URL is none.
        StorageError: The state folder or the database cannot be used.
    """
    folder = storage.folder.absolute()
    if create and storage.state_id is None:
        folder = make_state(folder)
    path = folder / FILE
    if not create and storage.database is None and not path.exists():
        raise StorageError(
            f"There is no server's state in {folder}.",
            reason="gone",
            remedy="Name its folder with {state}; `dermport serve` and `dermport keys create` make one.",
            of=StorageConfig,
        )
    database = Database(storage.database or URL.create("sqlite", database=str(path)), storage.state_id)
    try:
        database.migrate()
    except StorageError as error:
        if error.reason != "full" and (error.reason != "gone" or storage.state_id is None):
            raise
        database._say(error)
    return database


def alembic_config(connection: Connection) -> Config:
    """Return what Alembic must know to work on `connection`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _version(connection: Connection) -> str | None:
    """Return the version of the tables; None where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(_VERSION)
    return found


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
