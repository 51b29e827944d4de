"""API keys: who may ask, without the secrets themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, mapped_column

from dermport.server.storage.base import Base, UtcTime
from dermport.server.storage.database import Database
from dermport.server.storage.generations import count_up


class ApiKeyRow(Base):
    """A row of the table ``api_keys``."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True)
class ApiKey:
    """A key as it is stored.

    Attributes:
        id: The public part of the token.
        name: What a person calls it.
        secret_sha256: Of the token's secret part.
        scopes: What it opens.
        created_at: When it was made.
        expires_at: When it ends; None for never.
        revoked_at: When it was revoked; None while it was not.
        last_used_at: About when it was last used (to a minute); None for never.
    """

    id: str
    name: str
    secret_sha256: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def valid_at(self, time: datetime) -> bool:
        """Whether the key is neither revoked nor expired at `time`."""
        return self.revoked_at is None and (self.expires_at is None or time < self.expires_at)


class ApiKeys:
    """The stored keys; every method raises StorageError where the database fails.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, key: ApiKey) -> None:
        """Store a new key."""
        values = {**vars(key), "scopes": ",".join(sorted(key.scopes))}
        with self._database.writing() as session:
            session.add(ApiKeyRow(**values))
            count_up(session, "keys")

    def all(self) -> tuple[ApiKey, ...]:
        """Return every key, oldest first."""
        with self._database.reading() as session:
            rows = session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.id))
            return tuple(_key(row) for row in rows)

    def revoke(self, ids: Iterable[str], time: datetime) -> int:
        """Revoke keys; return how many there were that had not been revoked before."""
        change = update(ApiKeyRow).where(ApiKeyRow.id.in_(tuple(ids)), ApiKeyRow.revoked_at.is_(None))
        with self._database.writing() as session:
            rows = session.scalars(change.values(revoked_at=time).returning(ApiKeyRow.id)).all()
            count_up(session, "keys")
        return len(rows)

    def mark_used(self, times: Mapping[str, datetime]) -> None:
        """Store when keys were last used, by id; ids that are no longer there are passed over."""
        with self._database.writing() as session:
            for key_id, time in times.items():
                session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(last_used_at=time))


def _key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        secret_sha256=row.secret_sha256,
        scopes=frozenset(row.scopes.split(",")),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
