"""The drift alarm: when it is raised, when not, and that it is raised once."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest

from dermport.errors import DataError
from dermport.server.comparing.drift import DriftPolicy, DriftWatch, alarm, counted, read_drift_policy
from dermport.server.storage.comparisons import Vote
from dermport.statistics.wilson import wilson_interval
from tests.server.comparing.made import NOON, PHONE_FILE, comparison, server_side

POLICY = DriftPolicy(id="test/1", latest=90, least=10, devices=2, per_device=40, otherwise=0.5, agreement={"fp32": 0.9})


def test_the_built_in_policy_knows_every_precision_of_phones() -> None:
    policy = read_drift_policy()
    assert {"fp32", "fp16", "int8", "int8-full"} <= set(policy.agreement)
    assert policy.bound(None) == policy.bound("int3") == policy.otherwise
    assert policy.least <= policy.latest


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "drift.toml").write_text("latest = 'many'")
    with pytest.raises(DataError, match="is no drift policy"):
        read_drift_policy(tmp_path / "drift.toml")


def _votes(*devices: tuple[int, int], name: str = "d") -> list[Vote]:
    """Return what devices said, of each how many agreed of how many."""
    return [
        Vote(f"{name}{number}", index < agreed) for number, (agreed, of) in enumerate(devices) for index in range(of)
    ]


@pytest.mark.parametrize(
    ("devices", "raised"),
    [
        (((50, 50), (50, 50)), False),
        (((47, 50), (46, 50)), False),
        (((40, 50), (40, 50)), True),
        (((3, 4), (4, 5)), False),  # too few comparisons
        (((0, 100),), False),  # one device alone
        (((0, 100), (50, 50)), False),  # without it, all is well
        (((0, 40), (39, 40), (40, 40)), False),
        (((15, 30), (15, 30), (30, 30)), True),
    ],
)
def test_the_upper_end_of_the_interval_decides_whichever_device_is_left_out(
    devices: tuple[tuple[int, int], ...], raised: bool
) -> None:
    votes = _votes(*devices)
    why = alarm(votes, 0.9, POLICY)
    assert bool(why) is raised
    if raised:
        agreed = sum(vote.agrees for vote in votes)
        assert wilson_interval(agreed, len(votes))[1] < 0.9
        assert f"comparisons of {len(devices)} devices, phone and server agree in {agreed}" in why
        assert "90%" in why


def test_a_device_that_posts_without_end_neither_outweighs_nor_hides_the_others() -> None:
    flood, others = _votes((0, 300), name="flood"), _votes((10, 10), (10, 10))
    taken = counted([*flood, *others], POLICY)
    assert Counter(vote.device for vote in taken) == {"flood0": POLICY.per_device, "d0": 10, "d1": 10}


class Phones:
    """What the latest comparisons said, and whether their file is being rolled out."""

    def __init__(self) -> None:
        self.votes: list[Vote] = []
        self.since: datetime | None = None
        self.asked: list[tuple[str, int, datetime | None]] = []
        self.raised: list[tuple[str, str]] = []
        self.watch = DriftWatch(self.latest, lambda _: self.since, self.alarmed, POLICY)

    def latest(self, artifact: str, count: int, since: datetime | None) -> list[Vote]:
        self.asked.append((artifact, count, since))
        return self.votes

    def alarmed(self, artifact: str, why: str) -> None:
        self.raised.append((artifact, why))

    def hear(self, known: bool = True, server: float = 0.3) -> None:
        answer = comparison(0.7, server)
        phone = answer.phone.model_copy(update={"known": server_side().model if known else None})
        self.watch.heard(answer.model_copy(update={"phone": phone}))


LOW, HIGH = _votes((10, 20), (10, 20)), _votes((20, 20), (20, 20))


def test_an_alarm_is_raised_while_a_roll_out_goes_on_and_else_once() -> None:
    phones = Phones()
    for phones.votes in (HIGH, LOW, LOW):
        phones.hear()
    [(artifact, why)] = phones.raised
    assert (artifact, phones.asked[0]) == (PHONE_FILE, (PHONE_FILE, 10 * POLICY.latest, None))
    assert "agree in 20" in why
    for phones.votes in (HIGH, LOW):
        phones.hear()
    assert len(phones.raised) == 2
    phones.since = NOON
    phones.hear()  # another process may have been told: this one pauses what goes on
    assert len(phones.raised) == 3
    assert phones.asked[-1][2] == NOON


def test_one_that_agrees_asks_nothing() -> None:
    phones = Phones()
    phones.votes = LOW
    phones.hear(server=0.7)
    assert (phones.asked, phones.raised) == ([], [])


def test_an_unknown_file_is_held_against_the_bound_of_others() -> None:
    phones = Phones()
    phones.votes = _votes((14, 20), (14, 20))
    phones.hear(known=False)
    assert phones.raised == []
    phones.hear()
    assert len(phones.raised) == 1


def test_an_alarm_that_reached_nobody_is_raised_again() -> None:
    phones = Phones()
    phones.votes = LOW
    phones.raised = cast("Any", None)
    with pytest.raises(AttributeError):
        phones.hear()
    phones.raised = []
    phones.hear()
    phones.hear()
    assert len(phones.raised) == 1
