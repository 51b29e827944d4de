"""The drift alarm: when it is raised, when not, and that it is raised once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dermport.errors import DataError
from dermport.server.comparing.drift import DriftPolicy, DriftWatch, alarm, read_drift_policy
from dermport.statistics.wilson import wilson_interval
from tests.server.comparing.made import PHONE_FILE, comparison, server_side

POLICY = DriftPolicy(id="test/1", latest=40, least=10, otherwise=0.5, agreement={"fp32": 0.9})


def test_the_built_in_policy_knows_every_precision_of_phones() -> None:
    policy = read_drift_policy()
    assert {"fp32", "fp16", "int8", "int8-full"} <= set(policy.agreement)
    assert policy.bound(None) == policy.bound("int3") == policy.otherwise
    assert policy.least <= policy.latest


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "drift.toml").write_text("latest = 'many'")
    with pytest.raises(DataError, match="is no drift policy"):
        read_drift_policy(tmp_path / "drift.toml")


@pytest.mark.parametrize(
    ("agreed", "of", "raised"), [(100, 100, False), (93, 100, False), (80, 100, True), (7, 9, False)]
)
def test_the_upper_end_of_the_interval_decides(agreed: int, of: int, raised: bool) -> None:
    why = alarm([True] * agreed + [False] * (of - agreed), 0.9, least=10)
    assert bool(why) is raised
    if of >= 10:
        assert raised is (wilson_interval(agreed, of)[1] < 0.9)
    if raised:
        assert "agree in 80" in why
        assert "90%" in why


def test_bad_luck_with_a_few_raises_nothing() -> None:
    assert alarm([False, *[True] * 11], 0.95, least=10) == ""


class Phones:
    """What the latest comparisons said."""

    def __init__(self) -> None:
        self.agreed: list[bool] = []
        self.asked: list[tuple[str, int]] = []
        self.raised: list[tuple[str, str]] = []

    def latest(self, artifact: str, count: int) -> tuple[bool, ...]:
        self.asked.append((artifact, count))
        return tuple(self.agreed[-count:])

    def alarmed(self, artifact: str, why: str) -> None:
        self.raised.append((artifact, why))


def _heard(watch: DriftWatch, known: bool = True) -> None:
    answer = comparison()
    phone = answer.phone.model_copy(update={"known": server_side().model if known else None})
    watch.heard(answer.model_copy(update={"phone": phone}))


def test_an_alarm_is_raised_once_and_again_after_a_recovery() -> None:
    phones = Phones()
    watch = DriftWatch(phones.latest, phones.alarmed, POLICY)
    for agreed in ([True] * 40, [True] * 20 + [False] * 20, [False] * 40):
        phones.agreed = agreed
        _heard(watch)
    assert phones.asked[0] == (PHONE_FILE, 40)
    [(artifact, why)] = phones.raised
    assert artifact == PHONE_FILE
    assert "agree in 20" in why
    phones.agreed = [True] * 40
    _heard(watch)
    phones.agreed = [False] * 40
    _heard(watch)
    assert len(phones.raised) == 2


def test_an_unknown_file_is_held_against_the_bound_of_others() -> None:
    phones = Phones()
    watch = DriftWatch(phones.latest, phones.alarmed, POLICY)
    phones.agreed = [True] * 28 + [False] * 12
    _heard(watch, known=False)
    assert phones.raised == []
    _heard(watch)
    assert len(phones.raised) == 1


def test_an_alarm_that_reached_nobody_is_raised_again() -> None:
    phones = Phones()
    phones.agreed = [False] * 40
    calls = []

    def fail_first(artifact: str, why: str) -> None:
        calls.append(artifact)
        if len(calls) == 1:
            raise OSError

    watch = DriftWatch(phones.latest, fail_first, POLICY)
    with pytest.raises(OSError):
        _heard(watch)
    _heard(watch)
    _heard(watch)
    assert len(calls) == 2
