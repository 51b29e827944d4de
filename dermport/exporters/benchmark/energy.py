"""Energy of one photo: what the machine draws while one artifact answers, less what it draws when idle.

Each pass measures the idle machine anew (all artifacts opened, none asked), then each artifact in turn, one photo after
the other. Nothing is estimated: where no sensor tells, the record says why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from dermport.bundle.benchmark_record import Energy
from dermport.errors import UnavailableError
from dermport.progress import Update
from dermport.runtimes.power.meter import Meter, Window, open_meter

Progress = Callable[[int, int], None]
Phase = Callable[[str], AbstractContextManager[Progress]]


@contextmanager
def silent(what: str) -> Iterator[Progress]:
    """Report nothing: the :data:`Phase` of whoever does not watch."""
    yield lambda done, total: None


WINDOW_S = 2.0
_SETTLE_S = 0.5
Key = TypeVar("Key", bound=Hashable)


class Busy(Protocol):
    """What can be kept busy (:class:`dermport.exporters.benchmark.process.Process`)."""

    def busy(self, seconds: float) -> int:
        """Answer one photo after the other for so long; return how many."""
        ...


@dataclass
class _Draw:
    """What was measured of one artifact: one entry for each pass."""

    idle: list[Window] = field(default_factory=list)
    busy: list[Window] = field(default_factory=list)
    photos: list[int] = field(default_factory=list)


def measure_energy(
    contestants: Mapping[Key, Busy], on_accelerator: Mapping[Key, bool], passes: int, phase: Phase = silent
) -> dict[Key, Energy]:
    """Return the energy of one photo of each artifact, or why it was not measured.

    Args:
        contestants: What is measured.
        on_accelerator: Whether an artifact runs beside the processor (on a GPU), where RAPL does not see it.
        passes: How often.
        phase: Opens a progress report, where there is something to measure.
    """
    with ExitStack() as stack:
        try:
            meter = open_meter(stack)
        except UnavailableError as error:
            return dict.fromkeys(contestants, Energy(not_measured_because=error.message))
        seen = {key: one for key, one in contestants.items() if _sees(meter, on_accelerator=on_accelerator[key])}
        with phase("energy") as update:
            energies = drawn(seen, meter, passes, update=update)
        return {key: energies.get(key) or _unseen(meter, on_accelerator=on_accelerator[key]) for key in contestants}


def _sees(meter: Meter, *, on_accelerator: bool) -> bool:
    return meter.accelerators if on_accelerator else meter.processor


def _unseen(meter: Meter, *, on_accelerator: bool) -> Energy:
    where = "GPU" if on_accelerator else "processor"
    return Energy(not_measured_because=f"{meter.source} does not see the {where} that runs it.")


def drawn(
    contestants: Mapping[Key, Busy],
    meter: Meter,
    passes: int,
    *,
    seconds: float = WINDOW_S,
    settle: float = _SETTLE_S,
    update: Update | None = None,
) -> dict[Key, Energy]:
    """Measure all artifacts with a meter.

    Args:
        contestants: What is measured.
        meter: Of this machine.
        passes: How often.
        seconds: Length of each window.
        settle: Seconds that the machine gets to come to rest before each window.
        update: Called with the number of finished windows.
    """
    draws = {key: _Draw() for key in contestants}
    done, windows = 0, passes * len(draws)
    for _ in range(passes):
        time.sleep(settle)
        with meter.window() as idle:
            time.sleep(seconds)
        for key, one in contestants.items():
            time.sleep(settle)
            with meter.window() as busy:
                photos = one.busy(seconds)
            draws[key].idle.append(idle)
            draws[key].busy.append(busy)
            draws[key].photos.append(photos)
            if update is not None:
                update(done := done + 1, windows)
    return {key: _energy(draw, meter.source) for key, draw in draws.items()}


def _energy(draw: _Draw, source: str) -> Energy:
    if not all(window.seconds for window in (*draw.idle, *draw.busy)):
        return Energy(not_measured_because=f"{source} fell silent while it was measured.")
    idle, busy = _watts(draw.idle), _watts(draw.busy)
    figures = [
        1000 * (busy.joules - idle.joules / idle.seconds * busy.seconds) / photos
        for idle, busy, photos in zip(draw.idle, draw.busy, draw.photos, strict=True)
    ]
    if min(figures) <= 0:
        return Energy(
            idle_watts=idle,
            busy_watts=busy,
            not_measured_because=f"{source}: what it draws is lost in the noise of the idle machine.",
        )
    return Energy(
        millijoules=round(sum(figures) / len(figures), 4),
        low=round(min(figures), 4),
        high=round(max(figures), 4),
        idle_watts=idle,
        busy_watts=busy,
        seconds=round(sum(window.seconds for window in draw.busy), 3),
        source=source,
    )


def _watts(windows: list[Window]) -> float:
    return round(sum(window.joules for window in windows) / sum(window.seconds for window in windows), 4)
