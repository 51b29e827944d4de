"""Mixed requests for a long time, each answer checked, with hot swaps, revoked keys and scan bombs in between."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.serving.conditions import Conditions
from benchmarks.serving.dermport import PROGRAM, Dermport, new_key
from benchmarks.serving.hostile_photos import scan_bomb
from benchmarks.serving.http import HTTPError, ask, exchange
from benchmarks.serving.limit import InProcessLimit
from benchmarks.serving.load import LoadDuration, LoadResult, Stream, drive
from benchmarks.serving.models import BenchmarkModel, drawn_model
from benchmarks.serving.photos import RequestPhoto, RequestPhotos, enlarged, prepared_by_client
from benchmarks.serving.rounds import TOLERANCE, LoadCase, stream
from benchmarks.serving.servers import Running, running
from benchmarks.serving.watch import Watch, show_watched, watched
from benchmarks.tables import say, show
from dermport.bundle.store import Bundle

SWAPS = 3
REVOCATIONS = 2
_BOMB_SECONDS = 60.0
_TIMEOUT = 120.0
_CONNECTIONS = 8  # of a key that is revoked: enough to reach every worker
_CAMERA = (4000, 3000)
Expected = dict[str, list[dict[str, float]]]
"""By the name of a model: the probabilities of each photo."""


@dataclass(frozen=True)
class Event:
    """Something that was done to the server while the load was on.

    Attributes:
        kind: ``swap``, ``revocation`` or ``bomb``.
        at: Seconds since the start.
        seconds: How long it took.
        status: What was answered; 0: nothing.
        complaint: What was not as it must be; empty where all was.
    """

    kind: str
    at: float
    seconds: float
    status: int
    complaint: str


class Schedule(threading.Thread):
    """Does things when they are due, one after the other.

    Args:
        due: Kind, seconds since the start, and what is done: it returns a status and a complaint.

    Attributes:
        events: What came of them.
    """

    def __init__(self, due: Sequence[tuple[str, float, Callable[[], tuple[int, str]]]]) -> None:
        super().__init__(daemon=True)
        self.events: list[Event] = []
        self._due = sorted(due, key=lambda one: one[1])

    def run(self) -> None:
        """Do all of it."""
        start = time.monotonic()
        for kind, at, act in self._due:
            time.sleep(max(0.0, start + at - time.monotonic()))
            began = time.monotonic()
            try:
                status, complaint = act()
            except (OSError, HTTPError, subprocess.CalledProcessError) as error:
                status, complaint = 0, f"{type(error).__name__}: {error}"
            event = Event(kind, began - start, time.monotonic() - began, status, complaint)
            self.events.append(event)
            say(f"  {event.at:.0f} s: {kind} {status} in {event.seconds:.1f} s {complaint}")


def run(conditions: Conditions) -> dict[str, Any]:
    """Measure, print and return the figures for JSON."""
    seconds = 60 * conditions.minutes
    models = (drawn_model("small"), drawn_model("other"))
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        server = replace(served_together(models, Path(folder) / "bundles", conditions.workers), state=state)
        server = replace(server, key=new_key(state, "predict", "compare", "admin"))
        keys = [new_key(state, "predict") for _ in range(REVOCATIONS)]
        streams = _streams(server, models, conditions)
        with running(server, conditions.photos.photos[0]) as live, Watch(live) as watch:
            schedules = (_operator(live, server, models, keys, conditions), _bomber(live, server, seconds))
            for schedule in schedules:
                schedule.start()
            outcome = drive(live.address, streams, LoadDuration(seconds, warm_up=0.0))
            for schedule in schedules:
                schedule.join(_TIMEOUT)
    events = [event for schedule in schedules for event in schedule.events]
    _show(outcome, events)
    show_watched(watch.samples)
    return {
        "minutes": conditions.minutes,
        "streams": {name: _stream_document(outcome, name) for name in outcome.streams},
        "events": [asdict(event) for event in events],
        "watched": watched(watch.samples),
        "samples": [asdict(sample) for sample in watch.samples],
    }


def served_together(models: Sequence[BenchmarkModel], folder: Path, workers: int) -> Dermport:
    """Return our server of several models; the first is live. `folder` is made, with links to their bundles."""
    folder.mkdir(parents=True)
    for number, model in enumerate(models):
        (folder / f"{number}-{model.name}").symlink_to(model.bundle.resolve())
    return Dermport(folder, workers, precision=models[0].precision)


def right(expected: Expected, number: int, status: int, body: bytes) -> str:
    """Return what is wrong with an answer to the photo of that number; nothing where it is what its model says."""
    if status not in (200, 201):
        return str(status)
    answer = json.loads(body)
    said = answer.get("server", answer)
    wanted = expected[said["model"]["name"]][number]
    if said["probabilities"].keys() != wanted.keys():
        return "other labels"
    worst = max(abs(said["probabilities"][label] - value) for label, value in wanted.items())
    return "" if worst <= TOLERANCE else "wrong answer"


def _streams(server: Dermport, models: Sequence[BenchmarkModel], conditions: Conditions) -> list[Stream]:
    spec = Bundle.open(models[0].bundle).manifest.preprocessing
    cases = (
        LoadCase("small", 6, conditions.photos),
        LoadCase("prepared", 2, prepared_by_client(conditions.photos, spec)),
        LoadCase("large", 1, enlarged(conditions.photos.photos[:3], *_CAMERA)),
    )
    with ExitStack() as stack:
        limits = {model.name: stack.enter_context(InProcessLimit(conditions.work(model), 1)) for model in models}

        def checked(one: Stream, photos: RequestPhotos) -> Stream:
            expected = {name: limit.probabilities(photos.photos) for name, limit in limits.items()}
            return replace(one, check=partial(right, expected))

        streams = [checked(stream(server, case), case.photos) for case in cases]
        said = limits[models[0].name].probabilities(conditions.photos.photos)
        phone = replace(server, bundles=models[0].bundle)
        pairs = zip(conditions.photos.photos, said, strict=True)
        compared = Stream("comparisons", 1, [phone.comparison(*pair) for pair in pairs])
        return [*streams, checked(compared, conditions.photos)]


def _operator(
    live: Running, server: Dermport, models: Sequence[BenchmarkModel], keys: Sequence[str], conditions: Conditions
) -> Schedule:
    """Return who swaps models and revokes keys, spread over the time."""
    photo, seconds = conditions.photos.photos[0], 60 * conditions.minutes
    manifests = [Bundle.open(model.bundle).manifest for model in models]
    lives = [manifests[number % len(models)] for number in range(1, SWAPS + 1)]
    swaps = [partial(_swapped, live, server.activation(one.name, one.version)) for one in lives]
    ways = (partial(_revoke_over_http, live, server), partial(_revoke_by_command, server))
    owners = [replace(server, key=key) for key in keys]
    revocations = [partial(_revoked, live, owner, photo, ways[i % len(ways)]) for i, owner in enumerate(owners)]
    return Schedule(
        [
            *(("swap", _part(number, SWAPS, seconds), swap) for number, swap in enumerate(swaps)),
            *(("revocation", _part(number, REVOCATIONS, seconds), one) for number, one in enumerate(revocations)),
        ]
    )


def _bomber(live: Running, server: Dermport, seconds: float) -> Schedule:
    """Return who sends a scan bomb a minute."""
    bomb = server.request(RequestPhoto(scan_bomb()))
    bombs = max(1, int(seconds / _BOMB_SECONDS))
    return Schedule(
        [("bomb", (number + 0.5) * seconds / bombs, partial(_bombed, live, bomb)) for number in range(bombs)]
    )


def _part(number: int, of: int, seconds: float) -> float:
    return seconds * (number + 1) / (of + 1)


def _swapped(live: Running, activation: bytes) -> tuple[int, str]:
    status, body = ask(live.address, activation, _TIMEOUT)
    return status, "" if status == 200 else body[:200].decode(errors="replace")


def _bombed(live: Running, bomb: bytes) -> tuple[int, str]:
    status, _ = ask(live.address, bomb, _TIMEOUT)
    return status, "" if 400 <= status < 500 or status == 503 else "a bomb was not refused"


def _revoked(live: Running, server: Dermport, photo: RequestPhoto, revoke: Callable[[str], None]) -> tuple[int, str]:
    """Use a key on several connections, revoke it, and use it again on these and on new ones."""
    request = server.request(photo)
    with ExitStack() as stack:
        connections = [stack.enter_context(live.address.connect(_TIMEOUT)) for _ in range(_CONNECTIONS)]
        before = [exchange(connection, request)[0] for connection in connections]
        revoke(server.key)
        after = [ask(live.address, request, _TIMEOUT)[0]]
        for connection in connections:
            with suppress(ConnectionError):  # closed is as good as refused
                after.append(exchange(connection, request)[0])
    complaint = "" if set(before) == {200} and set(after) == {401} else f"before {before}, after {after}"
    return after[0], complaint


def _revoke_over_http(live: Running, server: Dermport, key: str) -> None:
    status, body = ask(live.address, server.asking("DELETE", f"/v1/keys/{_key_id(key)}"), _TIMEOUT)
    if status != 204:
        raise HTTPError(f"a key was not revoked: {status} {body[:200]!r}")


def _revoke_by_command(server: Dermport, key: str) -> None:
    subprocess.run([*PROGRAM, "keys", "revoke", _key_id(key), "--state", str(server.state)], check=True)


def _key_id(key: str) -> str:
    return key.split("_")[1]


def _stream_document(outcome: LoadResult, name: str) -> dict[str, Any]:
    counts = outcome.streams[name]
    p50, p99 = (1000 * counts.percentile(percent) if counts.latencies else None for percent in (50, 99))
    return {"answered": counts.answered, "errors": dict(counts.errors), "p50_ms": p50, "p99_ms": p99}


def _show(outcome: LoadResult, events: Sequence[Event]) -> None:
    rows = []
    for name, counts in outcome.streams.items():
        p50, p99 = (1000 * counts.percentile(percent) for percent in (50, 99))
        failed = ", ".join(f"{kind} {count}" for kind, count in counts.errors.items()) or "0"
        rows.append((name, str(counts.answered), failed, f"{p50:.1f}", f"{p99:.1f}"))
    show(f"{outcome.seconds / 60:.1f} minutes", ("requests", "right", "failed", "p50 ms", "p99 ms"), rows)
    rows = []
    for kind in ("swap", "revocation", "bomb"):
        of_kind = [event for event in events if event.kind == kind]
        statuses = ", ".join(sorted({str(event.status) for event in of_kind}))
        complaints = "; ".join(event.complaint[:80] for event in of_kind if event.complaint) or "none"
        longest = max((event.seconds for event in of_kind), default=0.0)
        rows.append((kind, str(len(of_kind)), statuses, f"{longest:.1f}", complaints))
    show("What was done", ("", "times", "answered", "longest s", "complaints"), rows)
