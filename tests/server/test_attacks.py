"""Attacks on a live server, from one address: another one is answered all the while, and nothing of them stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

import pytest

from dermport.bundle.store import Bundle
from tests.server.fakes import golden_photo
from tests.server.hostile.attacks import ATTACKS, descriptors, watched
from tests.server.hostile.clients import ask, statuses, until
from tests.server.hostile.requests import request
from tests.server.live import Server, serving

pytestmark = pytest.mark.xdist_group("exports")
SECONDS = 1.0
PEAK = 1536 * 2**20  # two workers, each of which may have a photo of 64 MP in work
GROWTH = 96 * 2**20


@pytest.fixture(scope="module")
def server(shared_exports: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    state = tmp_path_factory.mktemp("state")
    with serving(shared_exports.path, state, "--runtime", "litert", "--workers", "2") as server:
        yield server


@pytest.mark.parametrize("name", ATTACKS)
def test_the_server_stays_up(server: Server, shared_exports: Bundle, name: str) -> None:
    photo = request(golden_photo(shared_exports).read_bytes(), extra=b"Connection: close\r\n")
    assert statuses(ask(server.url, photo)) == [200]
    memory, files = server.resident(), descriptors(server)
    with watched(server, photo) as seen:
        answers = ATTACKS[name](server.url, Random(name), SECONDS)
        assert statuses(ask(server.url, photo)) == [200]
    assert seen.unanswered == 0
    assert seen.photos[200]
    assert set(seen.photos) <= {200, 503}
    assert not {status for status in answers if status >= 500} - {503}
    assert seen.resident < PEAK
    until(lambda: descriptors(server) <= files + 16 and server.resident() < memory + GROWTH, 20)
    assert "Traceback" not in server.said()


def test_it_drains_while_it_is_attacked(shared_exports: Bundle, tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.mktemp("state")
    with serving(shared_exports.path, state, "--runtime", "litert", "--workers", "1") as server:
        for name in ("scan_bombs", "promise_flood"):
            ATTACKS[name](server.url, Random(name), 0.5)
        began = time.monotonic()
        server.process.terminate()
        assert server.process.wait(40) == 0
        assert time.monotonic() - began < 35
