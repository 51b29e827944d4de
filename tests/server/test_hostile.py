"""A few hundred hostile requests to a live server: each is refused as it should be, and nothing is left of them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from dermport.bundle.store import Bundle
from tests.server.fakes import golden_photo
from tests.server.hostile.__main__ import attack
from tests.server.hostile.requests import Hostile, generate, request
from tests.server.hostile.sending import send
from tests.server.live import Server, serving

pytestmark = pytest.mark.xdist_group("exports")
REQUESTS = 600
# Allocators keep some of what they once needed; a leak of a photo for each request would be ten times this.
GROWTH = 48 * 2**20


@pytest.fixture(scope="module")
def server(shared_exports: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    state = tmp_path_factory.mktemp("state")
    with serving(shared_exports.path, state, "--runtime", "litert", "--workers", "2") as server:
        yield server


def _answer(server: Server, photo: bytes) -> tuple[str, dict[str, float]]:
    response = httpx.post(f"{server.url}/v1/predict", content=photo, headers={"Content-Type": "image/jpeg"})
    assert response.status_code == 200, response.text
    return response.json()["input_sha256"], response.json()["probabilities"]


def test_hostile_requests_are_refused_and_leave_nothing_behind(server: Server, shared_exports: Bundle) -> None:
    photo = golden_photo(shared_exports).read_bytes()
    before, workers = _answer(server, photo), server.workers()
    attack(server.url, 0, REQUESTS // 3)  # what is loaded and allocated once
    memory = server.resident()
    outcomes = attack(server.url, REQUESTS // 3, REQUESTS)
    assert [one for one in outcomes if one.complaint] == []
    assert {200, 400, 404, 413, 415, 422, 431} <= {one.status for one in outcomes}
    assert max(one.seconds for one in outcomes) < 15
    assert _answer(server, photo) == before
    assert server.workers() == workers, "a worker died"
    assert server.resident() - memory < GROWTH
    assert "Traceback" not in server.said()


def test_the_generator_repeats_itself() -> None:
    assert [generate(7, n) for n in range(100)] == [generate(7, n) for n in range(100)]
    assert generate(7, 0) != generate(8, 0)


def test_the_judge_sees_what_is_wrong(server: Server) -> None:
    fine = send(server.url, Hostile("fine", (request(method="GET", path="/healthz"),)))
    assert (fine.status, fine.complaint) == (200, "")
    stuck = send(server.url, Hostile("cut", (b"GET / HTTP/1.1\r\n",), whole=False))
    assert (stuck.status, stuck.complaint) == ("left", "")
    two = request(method="GET", path="/healthz") + request(method="GET", path="/smuggled-request")
    assert send(server.url, Hostile("smuggling", (two,))).complaint == "the hidden request was answered"
