"""Rate limits: buckets by an injected clock, and what a client is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dermport.server.security.limits import Limits
from dermport.server.security.proxy import network_of
from dermport.server.storage.api_keys import ApiKeys
from tests.server.security.made import Clock, add_key, bearer, guarded_app, sqlite


def _taken(limits: Limits, caller: str, times: int) -> int:
    allowances = [limits.take(caller) for _ in range(times)]
    return sum(one.taken for one in allowances if one)


def test_a_bucket_holds_a_minutes_requests_and_fills_again(tmp_path: Path) -> None:
    clock = Clock()
    limits = Limits(60, tmp_path, clock)
    assert _taken(limits, "a", 100) == 60
    clock.time += 2.5
    assert _taken(limits, "a", 100) == 2
    clock.time += 0.5
    assert _taken(limits, "a", 100) == 1
    clock.time += 3600
    assert _taken(limits, "a", 100) == 60


def test_several_are_taken_at_once_or_not_at_all(tmp_path: Path) -> None:
    clock = Clock()
    limits = Limits(60, tmp_path, clock)
    all_but_four = limits.take("a", 56)
    assert all_but_four is not None
    assert (all_but_four.taken, all_but_four.remaining, all_but_four.wait) == (True, 4, 0)
    refused = limits.take("a", 10)
    assert refused is not None
    assert (refused.taken, refused.remaining, refused.wait) == (False, 4, 6)
    clock.time += 6
    accepted = limits.take("a", 10)
    assert accepted is not None
    assert (accepted.taken, accepted.remaining, accepted.wait) == (True, 0, 1)


def test_callers_do_not_share_a_bucket(tmp_path: Path) -> None:
    limits = Limits(2, tmp_path, Clock())
    assert _taken(limits, "a", 5) == 2
    assert _taken(limits, "b", 5) == 2


def test_a_clock_that_jumps_back_gives_and_takes_nothing(tmp_path: Path) -> None:
    clock = Clock()
    limits = Limits(2, tmp_path, clock)
    assert _taken(limits, "a", 1) == 1
    clock.time -= 1000
    assert _taken(limits, "a", 5) == 1


def test_memory_is_bounded_and_the_stalest_is_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    limits = Limits(1, tmp_path, clock, sets=1)
    for caller in "abcd":
        clock.time += 0.01
        assert _taken(limits, caller, 2) == 1
    clock.time += 0.01
    assert _taken(limits, "a", 1) == 0  # used just now, so that b is the stalest
    clock.time += 0.01
    limits.take("another")
    assert _taken(limits, "a", 1) == 0
    assert _taken(limits, "b", 1) == 1
    assert (tmp_path / "limits").stat().st_size < 200


_OTHER_PROCESS = """
import sys, time
from pathlib import Path
from dermport.server.security.limits import Limits

limits = Limits(100, Path(sys.argv[1]))
print(sum(limits.take("a").taken for _ in range(60)), flush=True)
with limits._region.locked():
    time.sleep(60)
"""


def test_processes_share_the_buckets_and_a_dead_one_keeps_no_lock(tmp_path: Path) -> None:
    limits = Limits(100, tmp_path)
    command = [sys.executable, "-c", _OTHER_PROCESS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "60\n"
        other.kill()
    assert 40 <= _taken(limits, "a", 60) <= 45


def test_what_a_client_is_told(tmp_path: Path) -> None:
    clock = Clock()
    limits = Limits(3, tmp_path, clock)
    first = limits.take("a")
    assert first is not None
    assert first.headers() == {"RateLimit-Policy": '"requests";q=3;w=60', "RateLimit": '"requests";r=2;t=0'}
    limits.take("a")
    clock.time += 5
    last = limits.take("a")
    assert last is not None
    assert last.taken
    assert last.headers()["RateLimit"] == '"requests";r=0;t=15'


@pytest.mark.parametrize(
    ("address", "bucket"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_network_is_one_caller(address: str, bucket: str) -> None:
    assert network_of(address) == bucket


def test_over_http(tmp_path: Path) -> None:
    base = sqlite(tmp_path)
    clock = Clock()
    phones = [add_key(ApiKeys(base), "predict") for _ in range(2)]
    app, _ = guarded_app(base, Limits(2, tmp_path, clock), keys=True)
    client = app.test_client()
    clock.time += 5

    def statuses(path: str, headers: dict[str, str], times: int = 4) -> list[int]:
        ask = client.post if path == "/photo" else client.get
        return [ask(path, headers=headers).status_code for _ in range(times)]

    assert statuses("/photo", bearer(phones[0])) == [200, 200, 429, 429]
    assert statuses("/photo", bearer(phones[1])) == [200, 200, 429, 429]
    assert statuses("/nowhere", {}) == [404, 404, 429, 429]
    assert statuses("/photo", {}) == [429] * 4
    assert statuses("/free", {}) == [200] * 4
    assert statuses("/figures", bearer("dp_guess")) == [429] * 4  # whoever tries keys is limited everywhere
    refused = client.post("/photo", headers=bearer(phones[0]))
    assert refused.json["code"] == "too-many-requests"  # type: ignore[index]
    assert refused.headers["Retry-After"] == "30"
    assert refused.headers["RateLimit"] == '"requests";r=0;t=30'
    assert "RateLimit" not in client.get("/free").headers
    base.close()
