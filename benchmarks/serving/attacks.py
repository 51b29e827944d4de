"""Honest clients beside attackers: floods, drips, scan bombs, damaged photos and slow readers, through the listener.

The attackers are one process that sends from another address of this machine (127.0.0.66), as seeded. Each attack lasts
its share of the minutes, on the same server, which is watched from outside.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.serving.conditions import Conditions
from benchmarks.serving.dermport import Dermport, new_key
from benchmarks.serving.hostile_photos import damaged, scan_bomb
from benchmarks.serving.http import Address, read_head, request_bytes
from benchmarks.serving.load import LoadDuration, drive
from benchmarks.serving.photos import RequestPhoto
from benchmarks.serving.rounds import LoadCase, stream
from benchmarks.serving.servers import Running, running
from benchmarks.serving.watch import Watch, watched
from benchmarks.tables import say, show

_FROM = "127.0.0.66"
_HONEST = 4
_DRIP = 0.5  # seconds from byte to byte
_SETTLE = 2.0
_CLOSED = "closed"


@dataclass(frozen=True)
class Weapons:
    """What attackers send.

    Attributes:
        request: An honest request for a label, with a key.
        keyless: The same without one.
        bomb: A request with a scan bomb, with a key.
        page: A request of a large page.
        photo: The honest photo.
        server: Builds requests.
    """

    request: bytes
    keyless: bytes
    bomb: bytes
    page: bytes
    photo: bytes
    server: Dermport


Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Weapons, Random], Awaitable[str]]


async def _idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weapons: Weapons, random: Random) -> str:
    return await _answer(reader)


async def _promise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weapons: Weapons, random: Random) -> str:
    head = request_bytes("POST", "/v1/predict", b"", {"Content-Type": "image/jpeg"})
    writer.write(head.replace(b"Content-Length: 0", b"Content-Length: 30000000") + b"\xff")
    return await _answer(reader)


async def _drip_head(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weapons: Weapons, random: Random
) -> str:
    return await _dripped(reader, writer, weapons.keyless, 0)


async def _drip_body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weapons: Weapons, random: Random
) -> str:
    return await _dripped(reader, writer, weapons.request, weapons.request.index(b"\r\n\r\n") + 4)


async def _bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weapons: Weapons, random: Random) -> str:
    writer.write(weapons.bomb)
    return await _answer(reader)


async def _damage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weapons: Weapons, random: Random) -> str:
    writer.write(weapons.server.request(RequestPhoto(damaged(weapons.photo, random))))
    return await _answer(reader)


async def _never_read(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weapons: Weapons, random: Random
) -> str:
    """Ask for more than the buffers of a connection hold, and read nothing, until the server closes it."""
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    while True:
        writer.write(weapons.page)
        await writer.drain()


ATTACKS: dict[str, tuple[int, Act | None]] = {
    "none": (0, None),
    "idle flood": (300, _idle),
    "promise flood": (64, _promise),
    "dripped heads": (64, _drip_head),
    "dripped bodies": (64, _drip_body),
    "scan bombs": (2, _bomb),
    "damaged photos": (4, _damage),
    "slow readers": (32, _never_read),
}
"""By name: how many attackers, and what each does on a connection, again and again."""


def run(conditions: Conditions) -> dict[str, Any]:
    """Attack, print and return the figures for JSON."""
    model = conditions.models[-1]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        server = replace(conditions.ours(model), state=state)
        server = replace(server, key=new_key(state, "predict"))
        with running(server, conditions.photos.photos[0]) as live:
            for name in ATTACKS:
                say(name)
                found[name] = _attacked(name, live, server, conditions, 60 * conditions.minutes / len(ATTACKS))
    _show(found)
    return found


def _attacked(name: str, live: Running, server: Dermport, conditions: Conditions, seconds: float) -> dict[str, Any]:
    photo = conditions.photos.photos[0]
    weapons = Weapons(
        server.request(photo),
        replace(server, key="").request(photo),
        server.request(RequestPhoto(scan_bomb())),
        server.asking("GET", "/openapi.json"),
        photo.data,
        replace(server, state=None),
    )
    ours, theirs = get_context("spawn").Pipe()
    attacker = get_context("spawn").Process(target=_attack, args=(name, live.address, weapons, seconds, theirs))
    attacker.start()
    honest = stream(server, LoadCase("honest", _HONEST, conditions.photos))
    with Watch(live) as watch:
        outcome = drive(live.address, [honest], LoadDuration(seconds, warm_up=_SETTLE))
    attacker.join()
    counts = outcome.streams["honest"]
    return {
        "honest_rate": counts.answered / seconds,
        "honest_failed": dict(counts.errors),
        "honest_p99_ms": 1000 * counts.percentile(99),
        "attackers_saw": ours.recv(),
        "watched": watched(watch.samples),
        "samples": [asdict(sample) for sample in watch.samples],
    }


def _show(found: dict[str, dict[str, Any]]) -> None:
    columns = (
        "attack",
        "honest/s",
        "failed",
        "p99 ms",
        "/healthz worst ms",
        "RSS most MiB",
        "descriptors most",
        "attackers saw",
    )
    rows = [
        (
            name,
            f"{one['honest_rate']:.0f}",
            _counted(one["honest_failed"]),
            f"{one['honest_p99_ms']:.0f}",
            f"{one['watched']['health_worst_ms']:.0f}",
            f"{one['watched']['rss']['most']:.0f}",
            f"{one['watched']['descriptors']['most']:.0f}",
            _counted(one["attackers_saw"]),
        )
        for name, one in found.items()
    ]
    show(f"{_HONEST} honest clients beside attackers", columns, rows)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in counts.items()) or "0"


def _attack(name: str, address: Address, weapons: Weapons, seconds: float, results: Connection) -> None:
    results.send(dict(asyncio.run(_attack_for(name, address, weapons, seconds))))


async def _attack_for(name: str, address: Address, weapons: Weapons, seconds: float) -> Counter[str]:
    saw: Counter[str] = Counter()
    clients, act = ATTACKS[name]
    if act is not None:
        attackers = [
            asyncio.create_task(_attacker(act, address, weapons, Random(number), saw)) for number in range(clients)
        ]
        await asyncio.sleep(_SETTLE + seconds)
        for attacker in attackers:
            attacker.cancel()
    return saw


async def _attacker(act: Act, address: Address, weapons: Weapons, random: Random, saw: Counter[str]) -> None:
    while True:
        try:
            reader, writer = await asyncio.open_connection(address.host, address.port, local_addr=(_FROM, 0))
        except OSError as error:
            saw[type(error).__name__] += 1
            await asyncio.sleep(_DRIP)
            continue
        try:
            saw[await act(reader, writer, weapons, random)] += 1
        except OSError:
            saw[_CLOSED] += 1
        finally:
            writer.close()
        await asyncio.sleep(0)


async def _dripped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, at_once: int) -> str:
    writer.write(request[:at_once])
    answer = asyncio.ensure_future(_answer(reader))
    for byte in request[at_once:]:
        writer.write(bytes((byte,)))
        done, _ = await asyncio.wait({answer}, timeout=_DRIP)
        if done:
            break
    return await answer


async def _answer(reader: asyncio.StreamReader) -> str:
    """Return the status that is answered, or ``closed``."""
    data = b""
    while (head := read_head(data)) is None:
        try:
            block = await reader.read(1 << 16)
        except OSError:
            return _CLOSED
        if not block:
            return _CLOSED
        data += block
    return str(head.status)
