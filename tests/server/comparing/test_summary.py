"""Figures from the database are those that counting by hand gives, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from dermport.bundle.wire import ComparisonAnswer, ComparisonSummary
from dermport.server.comparing.summary import GROUPS, summarise
from dermport.server.storage.comparisons import ComparisonStore, Filters
from dermport.server.storage.database import Database
from dermport.statistics.wilson import wilson_interval
from tests.server.comparing.made import NOON, comparison


def _drawn(count: int) -> list[ComparisonAnswer]:
    random = np.random.default_rng(7)
    return [
        comparison(
            phone=float(random.uniform()),
            server=float(random.uniform()),
            cause=str(random.choice(["same", "artifact", "model"])),  # type: ignore[arg-type]
            created=NOON + timedelta(hours=int(random.integers(72))),
            device=str(random.choice(["d1", "d2", "d3"])) if random.uniform() < 0.8 else None,
            device_model="Pixel" if random.uniform() < 0.5 else None,
            artifact_sha256=str(random.choice(["a", "b"])) * 64,
        )
        for _ in range(count)
    ]


@pytest.fixture
def stored(database: Database) -> list[ComparisonAnswer]:
    drawn = _drawn(60)
    store = ComparisonStore(database)
    for answer in drawn:
        store.add(answer, "f", None)
    return drawn


def _by_hand(some: list[ComparisonAnswer]) -> dict[str, Any]:
    pairs = [(answer.phone.decision.positive, answer.server.decision.positive) for answer in some]
    return {
        "comparisons": len(some),
        "labels": sum(answer.phone.label == answer.server.label for answer in some),
        "decisions": sum(phone == server for phone, server in pairs),
        "to_positive": pairs.count((False, True)),
        "to_negative": pairs.count((True, False)),
        "mean": pytest.approx(float(np.mean([answer.verdict.change for answer in some]))),
        "max": max(answer.verdict.change for answer in some),
    }


def test_comparisons_without_a_decision_count_for_none(database: Database) -> None:
    store = ComparisonStore(database)
    plain = comparison(phone=0.7, server=0.6)
    sides = {side: getattr(plain, side).model_copy(update={"decision": None}) for side in ("phone", "server")}
    undecided = plain.verdict.model_copy(update={"same_decision": None})
    store.add(plain, "f", None)
    store.add(plain.model_copy(update={"id": "0" * 32, "verdict": undecided, **sides}), "g", None)
    total = summarise(database, Filters()).total
    assert (total.comparisons, total.label_agreement.of) == (2, 2)
    assert (total.decision_agreement.count, total.decision_agreement.of) == (1, 1)


def _counted(figures: Any) -> dict[str, Any]:
    return {
        "comparisons": figures.comparisons,
        "labels": figures.label_agreement.count,
        "decisions": figures.decision_agreement.count,
        "to_positive": figures.flips_to_positive,
        "to_negative": figures.flips_to_negative,
        "mean": figures.mean_change,
        "max": figures.max_change,
    }


def _check_groups(groups: Any, stored: list[ComparisonAnswer], key: Any) -> None:
    for group in groups:
        assert _counted(group) == _by_hand([answer for answer in stored if key(answer) == group.key])
    assert {group.key for group in groups} == {key(answer) for answer in stored} - {None}


def test_total(database: Database, stored: list[ComparisonAnswer]) -> None:
    summary = summarise(database, Filters())
    assert _counted(summary.total) == _by_hand(stored)
    share = summary.total.label_agreement
    assert (share.low, share.high) == wilson_interval(share.count, 60)
    changes = [answer.verdict.change for answer in stored]
    assert summary.change is not None
    assert summary.change.median == pytest.approx(np.quantile(changes, 0.5))
    assert summary.change.p95 == pytest.approx(np.quantile(changes, 0.95))
    assert sum(summary.causes.values()) == 60
    assert summary.causes["model"] == sum(answer.verdict.cause == "model" for answer in stored)
    assert ComparisonSummary.model_validate_json(summary.model_dump_json()) == summary


def test_groups(database: Database, stored: list[ComparisonAnswer]) -> None:
    summary = summarise(database, Filters())
    _check_groups(summary.classes, stored, lambda a: a.server.label)
    _check_groups(summary.devices, stored, lambda a: a.phone.said.device and a.phone.said.device.id)
    _check_groups(summary.device_models, stored, lambda a: a.phone.said.device and a.phone.said.device.model)
    _check_groups(summary.artifacts, stored, lambda a: a.phone.said.artifact_sha256)
    _check_groups(summary.days, stored, lambda a: a.created.date().isoformat())
    assert [group.key for group in summary.days] == sorted(group.key for group in summary.days)
    counts = [group.comparisons for group in summary.devices]
    assert counts == sorted(counts, reverse=True)


def test_changes_are_counted_by_half_decades(database: Database) -> None:
    store = ComparisonStore(database)
    for phone in (0.5, 0.5 + 2e-6, 0.5 + 2e-6, 0.52, 0.9):
        store.add(comparison(phone=phone, server=0.5), "f", None)
    store.add(comparison(phone=1.0, server=0.0), "f", None)
    bins = {f"{one.low:.3g}": one.comparisons for one in summarise(database, Filters()).changes if one.comparisons}
    assert bins == {"0": 1, "1e-06": 2, "0.01": 1, "0.316": 2}
    edges = summarise(database, Filters(device="nobody")).changes
    assert (edges[0].low, edges[1].low, edges[-1].high) == (0, pytest.approx(1e-6), 1)
    assert {one.comparisons for one in edges} == {0}
    assert all(before.high == after.low for before, after in pairwise(edges))


def test_filters_hold_for_every_figure(database: Database, stored: list[ComparisonAnswer]) -> None:
    summary = summarise(database, Filters(device="d1", agrees=False))
    some = [a for a in stored if a.phone.said.device and a.phone.said.device.id == "d1" and not a.verdict.same_label]
    assert 0 < len(some) < 60
    assert _counted(summary.total) == _by_hand(some)
    _check_groups(summary.artifacts, some, lambda a: a.phone.said.artifact_sha256)
    assert summary.change is not None
    assert summary.change.median == pytest.approx(np.quantile([a.verdict.change for a in some], 0.5))


def test_nothing_to_count(database: Database) -> None:
    summary = summarise(database, Filters())
    assert summary.total.comparisons == 0
    assert (summary.total.label_agreement.low, summary.total.label_agreement.high) == (0, 1)
    assert summary.change is summary.total.mean_change is None
    assert summary.classes == summary.days == ()


def test_days_are_those_of_utc(database: Database) -> None:
    east = timezone(timedelta(hours=10))
    answer = comparison(created=datetime(2026, 5, 5, 3, tzinfo=east))  # the evening before in UTC
    ComparisonStore(database).add(answer, "f", None)
    [day] = summarise(database, Filters()).days
    assert day.key == "2026-05-04"


def test_many_devices_are_cut_to_the_largest(database: Database) -> None:
    store = ComparisonStore(database)
    for number in range(GROUPS + 5):
        store.add(comparison(device=f"d{number}"), "f", None)
    store.add(comparison(device=f"d{GROUPS + 4}"), "f", None)
    devices = summarise(database, Filters()).devices
    assert len(devices) == GROUPS
    assert (devices[0].key, devices[0].comparisons) == (f"d{GROUPS + 4}", 2)


def test_a_withheld_decision_disagrees_and_is_no_flip(database: Database) -> None:
    plain = comparison(phone=0.9, server=0.9)
    withheld = plain.server.decision.model_copy(update={"positive": None, "answer": "cannot_tell"})
    server = plain.server.model_copy(update={"decision": withheld})
    verdict = plain.verdict.model_copy(update={"same_decision": False})
    ComparisonStore(database).add(plain.model_copy(update={"server": server, "verdict": verdict}), "f", None)
    total = summarise(database, Filters()).total
    assert (total.decision_agreement.count, total.flips_to_positive, total.flips_to_negative) == (0, 0, 0)
