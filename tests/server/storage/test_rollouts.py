"""Roll-outs in both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from dermport.server.storage.base import utc_now
from dermport.server.storage.database import Database
from dermport.server.storage.rollouts import REASON_LENGTH, Rollout, Rollouts

ANDROID = Rollout("ham7", "android", "1.1.0", 10, "2.0")


def test_one_for_a_model_and_platform(database: Database) -> None:
    rollouts = Rollouts(database)
    assert rollouts.get("ham7", "android") is None
    stored = rollouts.set(ANDROID)
    assert stored.updated_at is not None
    assert abs((utc_now() - stored.updated_at).total_seconds()) < 60
    assert rollouts.get("ham7", "android") == stored == replace(ANDROID, updated_at=stored.updated_at)
    wider = rollouts.set(replace(ANDROID, percentage=50, minimum_app_version=None))
    other = rollouts.set(replace(ANDROID, platform="ios"))
    assert rollouts.all() == (wider, other)


def test_pause_stops_the_candidate_alone_and_once(database: Database) -> None:
    rollouts = Rollouts(database)
    for platform in ("android", "ios", "web"):
        rollouts.set(replace(ANDROID, platform=platform))
    assert rollouts.pause("ham7", "1.0.0", "drift") == 0
    assert rollouts.pause("other", "1.1.0", "drift") == 0
    assert rollouts.pause("ham7", "1.1.0", "drift", platform="ios") == 1
    assert [rollout.paused for rollout in rollouts.all()] == [False, True, False]
    assert rollouts.pause("ham7", "1.1.0", "x" * 5000) == 2
    assert [len(rollout.pause_reason) for rollout in rollouts.all()] == [REASON_LENGTH, len("drift"), REASON_LENGTH]


def test_roll_outs_of_a_live_version_end(database: Database) -> None:
    rollouts = Rollouts(database)
    rollouts.set(ANDROID)
    other = rollouts.set(replace(ANDROID, platform="ios", candidate="1.2.0"))
    assert rollouts.finish("ham7", "1.1.0") == 1
    assert rollouts.all() == (other,)


@pytest.mark.parametrize("percentage", [-1, 101])
def test_the_database_itself_refuses_no_percentage(database: Database, percentage: int) -> None:
    with pytest.raises(IntegrityError):
        Rollouts(database).set(replace(ANDROID, percentage=percentage))
    assert Rollouts(database).all() == ()
