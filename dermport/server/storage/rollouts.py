"""Roll-outs: which share of the phones is given a model that is not live yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, String, select, update
from sqlalchemy.orm import Mapped, mapped_column

from dermport.server.storage.base import Base, UtcTime, utc_now
from dermport.server.storage.database import Database

REASON_LENGTH = 1000


class RolloutRow(Base):
    """A row of the table ``rollouts``: at most one for a model and a platform."""

    __tablename__ = "rollouts"
    __table_args__ = (CheckConstraint("percentage BETWEEN 0 AND 100", name="percentage"),)

    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    platform: Mapped[str] = mapped_column(String(16), primary_key=True)
    candidate: Mapped[str] = mapped_column(String(32))
    percentage: Mapped[int]
    minimum_app_version: Mapped[str | None] = mapped_column(String(64))
    paused: Mapped[bool]
    pause_reason: Mapped[str] = mapped_column(String(REASON_LENGTH))
    updated_at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True)
class Rollout:
    """A roll-out of a new version of a model to the phones of one platform.

    Attributes:
        model: The model's name.
        platform: ``ios``, ``android`` or ``web``.
        candidate: The version that is rolled out.
        percentage: Share of the devices that get it, 0 to 100.
        minimum_app_version: Older apps do not get it; None for no such limit.
        paused: Whether nobody gets it for the time being.
        pause_reason: Why, for people; empty where it is not paused.
        updated_at: When it was last changed; None for one that was not stored yet.
    """

    model: str
    platform: str
    candidate: str
    percentage: int
    minimum_app_version: str | None = None
    paused: bool = False
    pause_reason: str = ""
    updated_at: datetime | None = None


class Rollouts:
    """The stored roll-outs.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, rollout: Rollout) -> Rollout:
        """Store a roll-out in place of the model's earlier one on that platform; return it with its time."""
        row = RolloutRow(**{**vars(rollout), "updated_at": utc_now()})
        with self._database.writing() as session:
            return _rollout(session.merge(row))

    def get(self, model: str, platform: str) -> Rollout | None:
        """Return the roll-out of a model on a platform; None where there is none."""
        with self._database.reading() as session:
            row = session.get(RolloutRow, (model, platform))
            return _rollout(row) if row else None

    def all(self) -> tuple[Rollout, ...]:
        """Return every roll-out, sorted by model and platform."""
        with self._database.reading() as session:
            rows = session.scalars(select(RolloutRow).order_by(RolloutRow.model, RolloutRow.platform))
            return tuple(_rollout(row) for row in rows)

    def pause(self, model: str, version: str, why: str, platform: str | None = None) -> int:
        """Pause the roll-outs of a version that are not paused yet, on one platform or on all.

        Phones that were given the version are led back to the live model.

        Args:
            model: The model's name.
            version: The candidate.
            why: The reason, for people; cut after :data:`REASON_LENGTH` characters.
            platform: Where; None for every platform.

        Returns:
            How many were paused by this call.
        """
        change = update(RolloutRow).where(
            RolloutRow.model == model, RolloutRow.candidate == version, RolloutRow.paused.is_(False)
        )
        if platform is not None:
            change = change.where(RolloutRow.platform == platform)
        values = {"paused": True, "pause_reason": why[:REASON_LENGTH], "updated_at": utc_now()}
        with self._database.writing() as session:
            return len(session.scalars(change.values(values).returning(RolloutRow.platform)).all())

    def finish(self, model: str, version: str) -> int:
        """Remove the roll-outs of a version, as it is live now; return how many there were."""
        with self._database.writing() as session:
            rows = session.scalars(
                select(RolloutRow).where(RolloutRow.model == model, RolloutRow.candidate == version)
            ).all()
            for row in rows:
                session.delete(row)
            return len(rows)


def _rollout(row: RolloutRow) -> Rollout:
    return Rollout(
        model=row.model,
        platform=row.platform,
        candidate=row.candidate,
        percentage=row.percentage,
        minimum_app_version=row.minimum_app_version,
        paused=row.paused,
        pause_reason=row.pause_reason,
        updated_at=row.updated_at,
    )
