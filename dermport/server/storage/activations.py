"""Which models were made live, by whom and when: what a server that starts again goes on with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from dermport.server.storage.base import Base, UtcTime, utc_now
from dermport.server.storage.database import Database
from dermport.server.storage.generations import count_up


class ActivationRow(Base):
    """A row of the table ``activations``."""

    __tablename__ = "activations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(32))
    activated_at: Mapped[datetime] = mapped_column(UtcTime)
    who: Mapped[str] = mapped_column(String(128))


@dataclass(frozen=True)
class Activation:
    """A model that was made live.

    Attributes:
        name: The model's name.
        version: Its version.
        activated_at: When it took over.
        who: The name of the API key that asked for it, ``"start"``, or who else did it.
    """

    name: str
    version: str
    activated_at: datetime
    who: str

    @property
    def key(self) -> tuple[str, str]:
        """Name and version."""
        return self.name, self.version


class Activations:
    """The history of live models.

    Args:
        database: Where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, name: str, version: str, who: str, before: tuple[str, str, str] | None = None) -> int:
        """Add that a model has been made live just now; return the generation's number.

        Args:
            name: The model's name.
            version: Its version.
            who: Who did it.
            before: Name, version and who of the model that was live until now, where that was never stored.
        """
        with self._database.writing() as session:
            for one in filter(None, (before, (name, version, who))):
                session.add(ActivationRow(name=one[0], version=one[1], activated_at=utc_now(), who=one[2]))
                session.flush()
            return count_up(session, "live")

    def renewed(self) -> int:
        """Say that there is a better artifact of the live model; return the generation's number."""
        with self._database.writing() as session:
            return count_up(session, "live")

    def looked(self) -> None:
        """Say that the models' folders have been looked into."""
        with self._database.writing() as session:
            count_up(session, "folders")

    def last(self) -> Activation | None:
        """Return the newest entry; None where nothing was ever made live."""
        with self._database.reading() as session:
            row = _newest(session)
            return _activation(row) if row else None

    def latest(self, count: int) -> tuple[Activation, ...]:
        """Return the newest `count` entries, newest first."""
        with self._database.reading() as session:
            rows = session.scalars(select(ActivationRow).order_by(ActivationRow.id.desc()).limit(count))
            return tuple(map(_activation, rows))

    def previous(self) -> Activation | None:
        """Return the newest entry of another model than the last one's, which is what a rollback leads to."""
        with self._database.reading() as session:
            last = _newest(session)
            if last is None:
                return None
            other = (ActivationRow.name != last.name) | (ActivationRow.version != last.version)
            row = session.scalars(select(ActivationRow).where(other).order_by(ActivationRow.id.desc()).limit(1)).first()
            return _activation(row) if row else None


def _newest(session: Session) -> ActivationRow | None:
    return session.scalars(select(ActivationRow).order_by(ActivationRow.id.desc()).limit(1)).first()


def _activation(row: ActivationRow) -> Activation:
    return Activation(row.name, row.version, row.activated_at, row.who)
