"""Where a request's time goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from dermport.bundle.wire import Timing


class StageClock:
    """Milliseconds by stage, each counted from the end of the one before.

    Args:
        now: A clock in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._start = self._last = now()
        self._stages: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        """End `stage`, a field of :class:`dermport.bundle.wire.Timing`."""
        now = self._now()
        self._stages[stage] = round(1000 * (now - self._last), 3)
        self._last = now

    def add(self, milliseconds: Mapping[str, float]) -> None:
        """Take in stages that were measured elsewhere."""
        self._stages.update({stage: round(value, 3) for stage, value in milliseconds.items()})
        self._last = self._now()

    def fork(self) -> StageClock:
        """Return a clock of its own with the stages so far, for one of several photos."""
        clock = StageClock(self._now)
        clock._start, clock._stages = self._start, dict(self._stages)
        return clock

    def timing(self) -> Timing:
        """Return the marked stages, with the total until now."""
        return Timing.of_ours(**self._stages, total=round(1000 * (self._now() - self._start), 3))
