"""Comparisons: what a phone and the server said of the same photo."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Double, Index, String, Table, Text, and_, delete, func, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from dermport.bundle.causes import Cause
from dermport.bundle.wire import ComparisonAnswer
from dermport.errors import RequestError
from dermport.server.storage.base import Base, UtcTime
from dermport.server.storage.database import Database
from dermport.server.storage.inserts import SharedInserts

BATCH = 500
CURSOR = r"^[0-9]{1,17}-[0-9a-f]{32}$"
"""Where a page ends: microseconds since 1970, and an id; whatever has this form is a place, taken or not."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


class ComparisonRow(Base):
    """A row of the table ``comparisons``: the whole answer, and beside it what is filtered, grouped and counted."""

    __tablename__ = "comparisons"
    __table_args__ = (
        Index("ix_comparisons_created_id", "created", "id"),
        Index("ix_comparisons_artifact_sha256_created", "artifact_sha256", "created"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    created: Mapped[datetime] = mapped_column(UtcTime)
    sender: Mapped[str | None] = mapped_column(String(16))
    idempotency_key: Mapped[str | None] = mapped_column(String(128), unique=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    cause: Mapped[str] = mapped_column(String(16))
    change: Mapped[float] = mapped_column(Double)
    same_label: Mapped[bool]
    same_decision: Mapped[bool]
    undecided: Mapped[bool | None]
    phone_positive: Mapped[bool]
    server_positive: Mapped[bool]
    label: Mapped[str] = mapped_column(Text)
    artifact_sha256: Mapped[str] = mapped_column(String(64))
    device: Mapped[str | None] = mapped_column(String(64))
    device_model: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(Text)
    photo_kept: Mapped[bool]
    document: Mapped[str] = mapped_column(Text)


_NEWEST_FIRST = (ComparisonRow.created.desc(), ComparisonRow.id.desc())


@dataclass(frozen=True)
class Filters:
    """Which comparisons; None asks for any.

    Attributes:
        cause: The verdict's cause.
        device: A device's pseudonym.
        artifact_sha256: What the phone ran.
        model: The live model, by name or by ``name/version``.
        since: Not before.
        until: Before.
        agrees: Whether both gave the same label.
    """

    cause: Cause | None = None
    device: str | None = None
    artifact_sha256: str | None = None
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    agrees: bool | None = None

    def conditions(self) -> tuple[ColumnElement[bool], ...]:
        """Return what a row must satisfy."""
        row = ComparisonRow
        name, _, version = (self.model or "").partition("/")
        wanted = {
            row.cause: self.cause,
            row.device: self.device,
            row.artifact_sha256: self.artifact_sha256,
            row.model: name or None,
            row.version: version or None,
            row.same_label: self.agrees,
        }
        equal = [column == value for column, value in wanted.items() if value is not None]
        if self.since is not None:
            equal.append(row.created >= self.since)
        if self.until is not None:
            equal.append(row.created < self.until)
        return tuple(equal)


class Vote(NamedTuple):
    """What one comparison says of a file.

    Attributes:
        device: The API key that posted it, or, where none is asked for, the device's pseudonym.
        agrees: Whether phone and server gave the same label.
    """

    device: str
    agrees: bool


class ComparisonStore:
    """The stored comparisons.

    Args:
        database: Where they are. What it raises (StorageError) is raised by every method.

    Attributes:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._inserts = SharedInserts(database, cast(Table, ComparisonRow.__table__))

    def add(self, answer: ComparisonAnswer, fingerprint: str, key: str | None, sender: str = "") -> bool:
        """Store a comparison; False where another one with this idempotency key was stored meanwhile.

        Args:
            answer: The comparison.
            fingerprint: Of the request, sha256.
            key: What the request is known by when it is sent again.
            sender: The id of the API key that posted it; empty where none is asked for.
        """
        return self._inserts.add(_row(answer, fingerprint, key, sender))

    def earlier(self, key: str, fingerprint: str) -> ComparisonAnswer | None:
        """Return the answer to an earlier request with this idempotency key, if there was one.

        Raises:
            RequestError: 422: that request was another one.
        """
        with self.database.reading() as session:
            row = session.scalar(select(ComparisonRow).where(ComparisonRow.idempotency_key == key))
        if row is None:
            return None
        if row.fingerprint != fingerprint:
            raise RequestError(
                "Another comparison was sent with this Idempotency-Key.",
                code="key-reused",
                status=422,
                remedy="Draw a new key for each comparison; use one again only to send the same once more.",
            )
        return ComparisonAnswer.model_validate_json(row.document)

    def get(self, comparison_id: str) -> ComparisonAnswer:
        """Return a comparison; RequestError 404 where there is none."""
        with self.database.reading() as session:
            document = session.scalar(select(ComparisonRow.document).where(ComparisonRow.id == comparison_id))
        if document is None:
            raise no_such_comparison()
        return ComparisonAnswer.model_validate_json(document)

    def page(
        self, filters: Filters, limit: int, cursor: str | None = None
    ) -> tuple[tuple[ComparisonAnswer, ...], str | None]:
        """Return up to `limit` comparisons, newest first, and the cursor of the next page (None on the last).

        Raises:
            RequestError: 400: `cursor` is none of ours.
        """
        query = select(ComparisonRow.created, ComparisonRow.id, ComparisonRow.document).where(*filters.conditions())
        if cursor is not None:
            query = query.where(_after(*_read_cursor(cursor)))
        with self.database.reading() as session:
            rows = session.execute(query.order_by(*_NEWEST_FIRST).limit(limit + 1)).all()
        items = tuple(ComparisonAnswer.model_validate_json(row.document) for row in rows[:limit])
        return items, _cursor(rows[limit - 1]) if len(rows) > limit else None

    def all(self, filters: Filters) -> Iterator[ComparisonAnswer]:
        """Yield every comparison, newest first; no session stays open while the caller is slow."""
        cursor = None
        while True:
            items, cursor = self.page(filters, BATCH, cursor)
            yield from items
            if cursor is None:
                return

    def latest_votes(self, artifact_sha256: str, count: int, since: datetime | None = None) -> tuple[Vote, ...]:
        """Return what the latest `count` comparisons of an artifact say of it, newest first.

        Those whose photo changed on the way say nothing about the artifact and are left out.

        Args:
            artifact_sha256: What the phones ran.
            count: How many.
            since: Those before are left out, too.
        """
        row = ComparisonRow
        query = select(row.sender, row.device, row.same_label).where(
            row.artifact_sha256 == artifact_sha256, row.cause != "photo-changed"
        )
        if since is not None:
            query = query.where(row.created >= since)
        with self.database.reading() as session:
            rows = session.execute(query.order_by(*_NEWEST_FIRST).limit(count))
            return tuple(Vote(one.sender or one.device or "", one.same_label) for one in rows)

    def latest_artifacts(self, count: int) -> tuple[str, ...]:
        """Return the sha256 of the `count` artifacts that were compared last, the latest first."""
        artifact = ComparisonRow.artifact_sha256
        query = select(artifact).group_by(artifact).order_by(func.max(ComparisonRow.created).desc(), artifact)
        with self.database.reading() as session:
            return tuple(session.scalars(query.limit(count)))

    def newest(self) -> datetime | None:
        """Return the time of the newest comparison; None where there is none."""
        with self.database.reading() as session:
            return session.scalar(select(func.max(ComparisonRow.created)))

    def ids_before(self, time: datetime) -> tuple[str, ...]:
        """Return the ids of up to :data:`BATCH` comparisons that are older than `time`."""
        query = select(ComparisonRow.id).where(ComparisonRow.created < time).order_by(ComparisonRow.created)
        with self.database.reading() as session:
            return tuple(session.scalars(query.limit(BATCH)))

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Return which of up to :data:`BATCH` ids are those of comparisons."""
        with self.database.reading() as session:
            return frozenset(session.scalars(select(ComparisonRow.id).where(ComparisonRow.id.in_(ids))))

    def delete(self, ids: Iterable[str]) -> int:
        """Delete up to :data:`BATCH` comparisons; return how many there were."""
        gone = delete(ComparisonRow).where(ComparisonRow.id.in_(tuple(ids))).returning(ComparisonRow.id)
        with self.database.writing() as session:
            return len(session.scalars(gone).all())


def no_such_comparison() -> RequestError:
    """Return the refusal of an id that is none."""
    return RequestError(
        "There is no such comparison.",
        code="no-such-comparison",
        status=404,
        remedy="GET /v1/comparisons lists those there are; old ones may have been deleted.",
    )


def _row(answer: ComparisonAnswer, fingerprint: str, key: str | None, sender: str) -> dict[str, Any]:
    verdict, phone, server = answer.verdict, answer.phone, answer.server
    device = phone.said.device
    sides = [side.decision.positive if side.decision else None for side in (phone, server)]
    told = None not in sides  # where one cannot tell, nothing flips from yes to no
    return {
        "id": answer.id,
        "created": answer.created,
        "sender": sender or None,
        "idempotency_key": key,
        "fingerprint": fingerprint,
        "cause": verdict.cause,
        "change": verdict.change,
        "same_label": verdict.same_label,
        "same_decision": bool(verdict.same_decision),
        "undecided": True if verdict.same_decision is None else None,
        "phone_positive": bool(told and sides[0]),
        "server_positive": bool(told and sides[1]),
        "label": server.label,
        "artifact_sha256": phone.said.artifact_sha256,
        "device": device.id if device else None,
        "device_model": device.model if device else None,
        "model": server.model.name,
        "version": server.model.version,
        "photo_kept": answer.photo_kept,
        "document": answer.model_dump_json(by_alias=True),
    }


def _after(created: datetime, comparison_id: str) -> ColumnElement[bool]:
    row = ComparisonRow
    return or_(row.created < created, and_(row.created == created, row.id < comparison_id))


def _cursor(row: Any) -> str:
    return f"{(row.created - _EPOCH) // _MICROSECOND}-{row.id}"


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    if not re.fullmatch(CURSOR, cursor):
        raise RequestError(
            "The cursor is none that this server gave out.",
            code="bad-cursor",
            status=400,
            remedy="Take `next` of the page before, unchanged.",
        )
    microseconds, comparison_id = cursor.split("-")
    return _EPOCH + int(microseconds) * _MICROSECOND, comparison_id
