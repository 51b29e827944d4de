"""What phones are offered, numbered: the number rises with each change, and never falls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, String, select
from sqlalchemy.orm import Mapped, mapped_column

from dermport.errors import StorageError
from dermport.server.storage.base import Base, UtcTime
from dermport.server.storage.database import Database

LIFETIME = timedelta(days=30)
"""How long a phone may install what it was told; renewed when half of it is over."""


class OfferRow(Base):
    """The one row of the table ``offers``, which the migration wrote."""

    __tablename__ = "offers"

    id: Mapped[int] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
    issued_at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True)
class NumberedOffer:
    """What is offered.

    Attributes:
        sequence: Its number.
        digest: Names it.
        issued_at: When it was numbered or renewed.
    """

    sequence: int
    digest: str
    issued_at: datetime

    @property
    def expires(self) -> datetime:
        """When a phone takes it no more."""
        return self.issued_at + LIFETIME

    def is_good(self, digest: str, now: datetime, age: timedelta = LIFETIME / 2) -> bool:
        """Whether it is `digest` and was issued within `age`; one from the future is of a clock that was wrong."""
        return self.digest == digest and self.issued_at <= now < self.issued_at + age


class Offers:
    """The newest offer, the same for every process on one database.

    Args:
        database: Where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def numbered(self, digest: str, now: datetime) -> NumberedOffer:
        """Return the offer named `digest`: the stored one, or a new one, if it is another or half of its time is over.

        A new number is the time in seconds since 1970, or one more than the last where that is more: so it rises even
        where an older database was restored.

        Raises:
            StorageError: The database cannot be used, and what it held cannot be handed out any more.
        """
        with self._database.reading() as session:
            stored = _offer(session.scalars(select(OfferRow)).one())
        if stored.is_good(digest, now):
            return stored
        try:
            return self._renewed(digest, now)
        except StorageError:  # a full disk
            if stored.is_good(digest, now, LIFETIME):
                return stored
            raise

    def _renewed(self, digest: str, now: datetime) -> NumberedOffer:
        with self._database.writing() as session:
            row = session.scalars(select(OfferRow).with_for_update()).one()
            if not _offer(row).is_good(digest, now):  # no other process was quicker
                row.sequence = max(row.sequence + 1, int(now.timestamp()))
                row.digest, row.issued_at = digest, now.replace(microsecond=0)
            return _offer(row)


def _offer(row: OfferRow) -> NumberedOffer:
    return NumberedOffer(row.sequence, row.digest, row.issued_at)
