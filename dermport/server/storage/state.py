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
    signing_key_id: Mapped[str | None] = mapped_column(String(64))
    seen_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ServerState:
    """The state of one server; every method raises StorageError where the database fails.

    Args:
        database: Where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def signing_key_id(self) -> str | None:
        """Return the id of the key that this server signs with; None before the first."""
        with self._database.reading() as session:
            return session.scalar(select(StateRow.signing_key_id))

    def sign_with(self, key_id: str) -> None:
        """Store the id of the key that this server signs with from now on."""
        with self._database.writing() as session:
            session.execute(update(StateRow).values(signing_key_id=key_id))

    def seen_at(self) -> datetime | None:
        """Return the last time that a clock which ran evenly was seen to show; None before the first."""
        with self._database.reading() as session:
            return session.scalar(select(StateRow.seen_at))

    def see(self, time: datetime) -> None:
        """Store such a time."""
        with self._database.writing() as session:
            session.execute(update(StateRow).values(seen_at=time))
