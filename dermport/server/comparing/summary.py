"""Comparisons in figures, counted by the database."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from dermport.bundle.wire import AgreementFigures, AgreementGroup, ChangeBin, ComparisonSummary
from dermport.server.storage.comparisons import ComparisonRow, Filters
from dermport.server.storage.database import Database
from dermport.statistics.estimates import Quantiles, share_of

GROUPS = 100
DAYS = 366
CHANGE_EDGES = (0.0, *(10 ** (half / 2 - 6) for half in range(13)))
_Column = ColumnElement[Any] | InstrumentedAttribute[Any]
_Conditions = Sequence[ColumnElement[bool]]


def _counted(condition: Any) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


_ROW = ComparisonRow
_FIGURES = (
    func.count(_ROW.id).label("comparisons"),
    _counted(_ROW.same_label).label("same_label"),
    _counted(_ROW.same_decision).label("same_decision"),
    func.count(_ROW.undecided).label("undecided"),
    _counted(_ROW.server_positive & ~_ROW.phone_positive).label("to_positive"),
    _counted(_ROW.phone_positive & ~_ROW.server_positive).label("to_negative"),
    func.avg(_ROW.change).label("mean_change"),
    func.max(_ROW.change).label("max_change"),
)


def summarise(database: Database, filters: Filters) -> ComparisonSummary:
    """Count comparisons; all figures are of one state of the database.

    Args:
        database: Where they are.
        filters: Which of them.

    Raises:
        StorageError: The database fails.
    """
    conditions = filters.conditions()
    day = func.date(_ROW.created)
    with database.reading() as session:
        total = AgreementFigures(**_figures(session.execute(select(*_FIGURES).where(*conditions)).one()))
        return ComparisonSummary(
            total=total,
            change=_quantiles(session, conditions, total),
            changes=_changes(session, conditions),
            causes=_causes(session, conditions),
            classes=_groups(session, _ROW.label, conditions),
            devices=_groups(session, _ROW.device, conditions),
            device_models=_groups(session, _ROW.device_model, conditions),
            artifacts=_groups(session, _ROW.artifact_sha256, conditions),
            days=tuple(reversed(_grouped(session, day, conditions, day.desc(), DAYS))),
        )


def _groups(session: Session, column: _Column, conditions: _Conditions) -> tuple[AgreementGroup, ...]:
    return _grouped(session, column, (*conditions, column.is_not(None)), func.count(_ROW.id).desc(), GROUPS)


def _grouped(
    session: Session, column: _Column, conditions: _Conditions, order: ColumnElement[Any], limit: int
) -> tuple[AgreementGroup, ...]:
    query = select(column.label("key"), *_FIGURES).where(*conditions).group_by(column)
    rows = session.execute(query.order_by(order, column).limit(limit))
    return tuple(AgreementGroup(key=str(row.key), **_figures(row)) for row in rows)


def _figures(row: Any) -> dict[str, Any]:
    return {
        "comparisons": row.comparisons,
        "label_agreement": share_of(row.same_label, row.comparisons),
        "decision_agreement": share_of(row.same_decision, row.comparisons - row.undecided),
        "flips_to_positive": row.to_positive,
        "flips_to_negative": row.to_negative,
        "mean_change": row.mean_change,
        "max_change": row.max_change,
    }


def _causes(session: Session, conditions: _Conditions) -> dict[str, int]:
    count = func.count(_ROW.id)
    query = select(_ROW.cause, count).where(*conditions).group_by(_ROW.cause).order_by(count.desc(), _ROW.cause)
    return {row[0]: row[1] for row in session.execute(query)}


def _changes(session: Session, conditions: _Conditions) -> tuple[ChangeBin, ...]:
    reached = [_counted(_ROW.change >= low) for low in CHANGE_EDGES[:-1]]
    counts = [*session.execute(select(*reached).where(*conditions)).one(), 0]
    bins = zip(pairwise(CHANGE_EDGES), pairwise(counts), strict=True)
    return tuple(ChangeBin(low=low, high=high, comparisons=here - above) for (low, high), (here, above) in bins)


def _quantiles(session: Session, conditions: _Conditions, total: AgreementFigures) -> Quantiles | None:
    if total.mean_change is None or total.max_change is None:
        return None
    return Quantiles(
        mean=total.mean_change,
        median=_quantile(session, conditions, total.comparisons, 0.5),
        p95=_quantile(session, conditions, total.comparisons, 0.95),
        max=total.max_change,
    )


def _quantile(session: Session, conditions: _Conditions, count: int, q: float) -> float:
    """Return the quantile as numpy's default does, from the one or two values around it."""
    rank = q * (count - 1)
    query = select(_ROW.change).where(*conditions).order_by(_ROW.change).offset(math.floor(rank)).limit(2)
    values = list(session.scalars(query))
    return float(values[0] + (rank - math.floor(rank)) * (values[-1] - values[0]))
