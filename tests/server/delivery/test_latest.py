"""Which version a phone should have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dermport.bundle.wire import LatestAnswer
from dermport.server.delivery.latest import DeviceInfo, bucket, choose
from dermport.server.storage.rollouts import Rollout
from tests.server.delivery.made import Site, make_release

DEVICES = [f"device-{i}" for i in range(2000)]
ROLLOUT = Rollout("ham7", "android", "1.1.0", 10)


def _reached(rollout: Rollout) -> set[str]:
    return {
        device for device in DEVICES if choose("1.0.0", rollout, DeviceInfo("android", device)).reason == "roll-out"
    }


def test_share_of_the_devices_grows_with_the_percentage_and_nobody_falls_out() -> None:
    before: set[str] = set()
    for percentage in (0, 1, 10, 50, 99, 100):
        reached = _reached(replace(ROLLOUT, percentage=percentage))
        assert before <= reached
        assert len(reached) == pytest.approx(len(DEVICES) * percentage / 100, abs=5 * 0.5 * len(DEVICES) ** 0.5)
        before = reached
    assert before == set(DEVICES)


def test_each_version_begins_with_other_devices() -> None:
    first = _reached(replace(ROLLOUT, percentage=10))
    second = _reached(replace(ROLLOUT, percentage=10, candidate="1.2.0"))
    assert len(first & second) < len(first) / 2


def test_bucket_stays_the_same_for_ever() -> None:
    assert [bucket(device, "ham7", "1.1.0") for device in ("a", "b", "")] == [14, 9, 81]


@pytest.mark.parametrize("device", [None, ""])
def test_nameless_device_is_in_no_partial_roll_out(device: str | None) -> None:
    assert choose("1.0.0", replace(ROLLOUT, percentage=99), DeviceInfo("android", device)).reason == "not-in-roll-out"
    assert choose("1.0.0", replace(ROLLOUT, percentage=100), DeviceInfo("android", device)).version == "1.1.0"


@pytest.mark.parametrize(
    ("app", "minimum", "reached"),
    [
        ("2.0", "2.0.0", True),
        ("2.0.0", "2.0", True),
        ("2.10", "2.9", True),
        ("2.9", "2.10", False),
        ("2.0.1-beta+7", "2.0.1", True),
        ("1.99.99", "2", False),
        ("10", "9.9.9", True),
        ("beta", "0.1", False),
        ("", "0.1", False),
        ("٣", "2", False),
        (None, "0.1", False),
        (None, None, True),
    ],
)
def test_minimum_app_version(app: str | None, minimum: str | None, reached: bool) -> None:
    rollout = replace(ROLLOUT, percentage=100, minimum_app_version=minimum)
    choice = choose("1.0.0", rollout, DeviceInfo("android", "a", app))
    assert (choice.version, choice.reason) == (("1.1.0", "roll-out") if reached else ("1.0.0", "app-too-old"))


def test_pause_leads_everybody_back_and_says_why() -> None:
    choice = choose(
        "1.0.0", replace(ROLLOUT, percentage=100, paused=True, pause_reason="drift"), DeviceInfo("android", "a")
    )
    assert (choice.version, choice.reason) == ("1.0.0", "paused")
    assert "drift" in choice.why


def test_candidate_that_is_live_is_simply_live() -> None:
    assert choose("1.1.0", replace(ROLLOUT, paused=True), DeviceInfo("android")).reason == "live"


def _latest(site: Site, query: str = "platform=android", status: int = 200) -> Any:
    answer = site.client.get(f"/v1/models/latest?{query}")
    assert answer.status_code == status
    return LatestAnswer.model_validate(answer.json) if status == 200 else answer.json


def test_without_a_roll_out_everybody_gets_the_live_model(site: Site) -> None:
    answer = _latest(site)
    assert (answer.name, answer.version, answer.reason, answer.update) == ("ham7", "1.0.0", "live", True)
    assert answer.sha256 == site.models.bundle("ham7", "1.0.0").model_sha256
    assert site.client.get(answer.manifest).status_code == 200
    assert not _latest(site, "platform=web&current=ham7/1.0.0").update
    assert _latest(site, "platform=web&current=ham8/1.0.0").update


def test_roll_out_by_the_address(site: Site) -> None:
    wish = {
        "model": "ham7",
        "platform": "android",
        "candidate": "1.1.0",
        "percentage": 100,
        "minimum_app_version": "2.1",
    }
    stored = site.client.put("/v1/admin/rollouts", json=wish)
    assert (stored.status_code, stored.json["percentage"]) == (200, 100)
    assert site.client.get("/v1/admin/rollouts").json["rollouts"] == [stored.json]
    assert _latest(site, "platform=android&app_version=2.1&current=ham7/1.0.0").version == "1.1.0"
    assert _latest(site, "platform=android&app_version=2.0").reason == "app-too-old"
    assert _latest(site, "platform=web&app_version=2.1").reason == "live"
    site.rollouts.pause("ham7", "1.1.0", "Agreement fell to 0.7.")
    assert "Agreement fell" in _latest(site, "platform=android&app_version=2.1").why
    site.client.put("/v1/admin/rollouts", json=wish)
    assert _latest(site, "platform=android&app_version=2.1").version == "1.1.0"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"candidate": "9.9.9"}, 404, "no-such-model"),
        ({"platform": "ios"}, 404, "no-artifact-for-platform"),
        ({"percentage": 101}, 422, "invalid"),
        ({"percentage": 0.5}, 422, "invalid"),
        ({"platform": "jetson"}, 422, "invalid"),
        ({"minimum_app_version": "2.x"}, 422, "invalid"),
        ({"model": "../ham7"}, 422, "invalid"),
    ],
)
def test_roll_out_that_cannot_be(site: Site, change: dict[str, Any], status: int, code: str) -> None:
    wish = {"model": "ham7", "platform": "android", "candidate": "1.1.0", "percentage": 10, **change}
    answer = site.client.put("/v1/admin/rollouts", json=wish)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert site.rollouts.all() == ()


@pytest.mark.parametrize("query", ["", "platform=jetson", "platform=", f"platform=web&device={'x' * 129}"])
def test_question_that_cannot_be_understood(site: Site, query: str) -> None:
    assert site.client.get(f"/v1/models/latest?{query}").status_code == 422


def test_phone_that_the_live_model_has_nothing_for(site: Site) -> None:
    assert _latest(site, "platform=ios", 404)["code"] == "no-artifact-for-platform"


def test_candidate_that_is_gone_is_not_handed_out(site: Site) -> None:
    site.rollouts.set(replace(ROLLOUT, percentage=100, candidate="9.9.9"))
    answer = _latest(site)
    assert (answer.version, answer.reason) == ("1.0.0", "candidate-unavailable")


def test_new_model_is_found_by_a_rescan(site: Site) -> None:
    make_release(site.folder / "models" / "new", version="2.0.0")
    assert site.client.get("/v1/models/ham7/2.0.0/manifest").status_code == 404
    known = site.client.post("/v1/admin/models/rescan").json["models"]
    assert [model["version"] for model in known] == ["1.0.0", "1.1.0", "2.0.0"]
    assert site.client.get("/v1/models/ham7/2.0.0/manifest").json["code"] == "not-offered"
