"""What a server knows of its state as a whole: which one it is, who signed for it, and how late it was."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, mapped_column

from dermport.server.storage.base import Base, UtcTime
from dermport.server.storage.database import Database


class StateRow(Base):
    """The row of the table ``state``."""

    __tablename__ = "state"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    signing_keys: Mapped[str | None] = mapped_column(String(64))
    seen_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ServerState:
    """The state of one server; every method raises StorageError where the database fails.

    Args:
        database: Where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def signing_keys(self) -> str | None:
        """Return the sha256 of the first root, which names the keys that this server began with; None before it."""
        with self._database.reading() as session:
            return session.scalar(select(StateRow.signing_keys))

    def sign_with(self, root_sha256: str | None) -> None:
        """Store the sha256 of the first root; None lets a server that has lost its keys begin anew."""
        with self._database.writing() as session:
            session.execute(update(StateRow).values(signing_keys=root_sha256))

    def seen_at(self) -> datetime | None:
        """Return the last time that a clock which ran evenly was seen to show; None before the first."""
        with self._database.reading() as session:
            return session.scalar(select(StateRow.seen_at))

    def see(self, time: datetime) -> None:
        """Store such a time."""
        with self._database.writing() as session:
            session.execute(update(StateRow).values(seen_at=time))
