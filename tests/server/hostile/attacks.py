"""Attacks on a server that last: each goes on for some seconds; what they do to it is watched from another address."""

from __future__ import annotations

import io
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

from PIL import Image

from tests.server.hostile import photos
from tests.server.hostile.clients import PROMISE, ask, connect, drip, everything, many, statuses
from tests.server.hostile.requests import request
from tests.server.live import Server

ATTACKER, WATCHER = "127.0.0.2", "127.0.0.3"
Attack = Callable[[str, Random, float], "Counter[int]"]
_SENDERS = 4


def idle_flood(url: str, random: Random, seconds: float) -> Counter[int]:
    """Connections that say nothing."""
    return _hold(url, b"", 300, seconds)


def half_heads(url: str, random: Random, seconds: float) -> Counter[int]:
    """Connections that begin a head."""
    head = request()
    return _hold(url, head[: random.randrange(1, head.index(b"\r\n\r\n"))], 200, seconds)


def promise_flood(url: str, random: Random, seconds: float) -> Counter[int]:
    """Photos of 25 MB that are promised, and of which one byte comes."""
    return _hold(url, PROMISE % (b"/v1/predict", 25_000_000) + b"\xff", 100, seconds)


def slow_readers(url: str, random: Random, seconds: float) -> Counter[int]:
    """Requests whose answers nobody reads."""
    return _hold(url, request(method="GET", path="/openapi.json") * 200, 60, seconds)


def dripped_heads(url: str, random: Random, seconds: float) -> Counter[int]:
    """Heads that come a byte at a time."""
    return _drip(url, b"", request(extra=b"A: b\r\n" * 500), seconds)


def dripped_bodies(url: str, random: Random, seconds: float) -> Counter[int]:
    """Photos that come a byte at a time."""
    return _drip(url, PROMISE % (b"/v1/predict", 100_000), bytes(100_000), seconds)


def damaged_files(url: str, random: Random, seconds: float) -> Counter[int]:
    """Photos that are none."""
    return _send(url, lambda one: request(one.choice(photos.KINDS)(one)), random, seconds)


def scan_bombs(url: str, random: Random, seconds: float) -> Counter[int]:
    """Progressive JPEGs of thousands of scans, each of which costs a pass over all pixels."""
    paths = ("/v1/predict", "/v1/predict?decoding=draft")
    return _send(url, lambda one: request(scan_bomb(one.choice((500, 5_000))), path=one.choice(paths)), random, seconds)


def forged_proxies(url: str, random: Random, seconds: float) -> Counter[int]:
    """Requests that claim to come from elsewhere."""
    names = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Proto")

    def forged(one: Random) -> bytes:
        field_ = f"{one.choice(names)}: 10.{one.randrange(256)}.0.1\r\n".encode()
        return request(method="GET", path=one.choice(("/v1/keys", "/metrics", "/")), extra=field_)

    return _send(url, forged, random, seconds)


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        *(idle_flood, half_heads, promise_flood, slow_readers, dripped_heads, dripped_bodies),
        *(damaged_files, scan_bombs, forged_proxies),
    )
}


@cache
def scan_bomb(scans: int, side: int = 3000) -> bytes:
    """Return a progressive JPEG of one colour whose last scan is there `scans` times."""
    file = io.BytesIO()
    Image.new("L", (side, side), 128).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[last:end] * scans + data[end:]


@dataclass
class Watched:
    """What was seen of a server while something was done to it.

    Attributes:
        slowest: The slowest answer of ``/healthz``, in seconds.
        unanswered: How often it gave none, or another than 200.
        photos: The statuses of honest photos whose body came a moment after its head; 0 for none in time.
        resident: The most memory of all its processes, in bytes.
        descriptors: The most descriptors of all its processes.
    """

    slowest: float = 0.0
    unanswered: int = 0
    resident: int = 0
    descriptors: int = 0
    photos: Counter[int] = field(default_factory=Counter)
    _over: threading.Event = field(default_factory=threading.Event)

    def look(self, server: Server) -> None:
        """Look once."""
        began = time.monotonic()
        answer = b""
        with suppress(OSError):
            answer = ask(server.url, request(method="GET", path="/healthz", extra=b"Connection: close\r\n"), WATCHER)
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.unanswered += statuses(answer) != [200]
        self.resident = max(self.resident, server.resident())
        self.descriptors = max(self.descriptors, descriptors(server))

    def send(self, server: Server, photo: bytes) -> None:
        """Send a photo as a phone does: the head, and then the body."""
        head, blank, body = photo.partition(b"\r\n\r\n")
        answer = b""
        with suppress(OSError), connect(server.url, WATCHER) as connection:
            connection.sendall(head + blank)
            time.sleep(0.05)
            connection.sendall(body)
            answer = everything(connection)
        self.photos.update(statuses(answer) or [0])


@contextmanager
def watched(server: Server, photo: bytes, every: float = 0.2) -> Iterator[Watched]:
    """Look at a server as long as the block lasts, and send it an honest photo each time."""
    seen = Watched()

    def look() -> None:
        while not seen._over.wait(every):
            with suppress(FileNotFoundError, ProcessLookupError):  # a worker that ends meanwhile
                seen.look(server)
                seen.send(server, photo)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        seen._over.set()
        thread.join()


def descriptors(server: Server) -> int:
    """Return how many files and connections all processes of a server hold."""
    return sum(len(os.listdir(Path(f"/proc/{pid}/fd"))) for pid in server.pids())  # noqa: PTH208


def _hold(url: str, first: bytes, count: int, seconds: float) -> Counter[int]:
    with many(url, count, first, ATTACKER) as held:
        time.sleep(seconds)
        for one in held:
            one.settimeout(0.01)
        return Counter(status for one in held for status in statuses(everything(one)))


def _drip(url: str, first: bytes, dripped: bytes, seconds: float) -> Counter[int]:
    with many(url, 50, first, ATTACKER) as held:
        threads = [threading.Thread(target=drip, args=(one, dripped, seconds)) for one in held]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one in held:
            one.settimeout(0.01)
        return Counter(status for one in held for status in statuses(everything(one)))


def _send(url: str, make: Callable[[Random], bytes], random: Random, seconds: float) -> Counter[int]:
    counts: Counter[int] = Counter()
    until = time.monotonic() + seconds

    def send(seed: int) -> None:
        mine = Random(seed)
        while time.monotonic() < until:
            with suppress(OSError), connect(url, ATTACKER, 60) as connection:
                connection.sendall(make(mine).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
                counts.update(statuses(everything(connection)[:20]))

    threads = [threading.Thread(target=send, args=(random.getrandbits(32),)) for _ in range(_SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts
