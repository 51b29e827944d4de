"""Energy over a window of time, from whichever sensor this machine has."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from dermport.errors import UnavailableError
from dermport.runtimes.power.nvidia import NvidiaCards
from dermport.runtimes.power.sensors import Sensors
from dermport.runtimes.power.tegrastats import Tegrastats

_INTERVAL_S = 0.05
_RAPL = "sys/class/powercap"


@dataclass
class Window:
    """What was drawn while a window was open; both are 0 until it is closed, or where the sensor fell silent."""

    joules: float = 0.0
    seconds: float = 0.0

    @property
    def watts(self) -> float | None:
        """Mean power, watts; None where nothing was measured."""
        return self.joules / self.seconds if self.seconds else None


class Meter(Protocol):
    """Something that measures energy.

    Attributes:
        source: The sensor, for people, with what it covers.
        processor: Whether it sees what runs on the processor.
        accelerators: Whether it sees what runs beside it, on a GPU.
    """

    source: str
    processor: bool
    accelerators: bool

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Measure what is drawn within the ``with`` block."""
        ...


@dataclass
class RailMeter:
    """Adds up sampled power (trapezoids): what a Jetson's rails allow.

    Attributes:
        read: Returns the power of every rail now, watts.
        rails: Which of them to add up.
        source: The sensor, for people.
        interval: Seconds between samples.
    """

    read: Callable[[], dict[str, float]]
    rails: tuple[str, ...]
    source: str
    interval: float = _INTERVAL_S
    processor: bool = field(default=True, init=False)
    accelerators: bool = field(default=True, init=False)

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Measure what is drawn within the ``with`` block."""
        samples: list[tuple[float, float]] = []
        done, window = threading.Event(), Window()
        sampler = threading.Thread(target=self._sample_until, args=(done, samples), daemon=True)
        sampler.start()
        try:
            yield window
        finally:
            done.set()
            sampler.join()
            window.joules = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(samples))
            window.seconds = samples[-1][0] - samples[0][0] if samples else 0.0

    def _sample_until(self, done: threading.Event, samples: list[tuple[float, float]]) -> None:
        finished = False
        while not finished:
            powers, now = self.read(), time.perf_counter()
            if set(self.rails) <= set(powers):  # a sensor that is asked too often answers EAGAIN now and then
                samples.append((now, sum(powers[rail] for rail in self.rails)))
            finished = done.is_set()
            done.wait(self.interval)


@dataclass
class CounterMeter:
    """Reads energy counters at both ends of a window: what RAPL and NVML allow; a counter may wrap once within it.

    Attributes:
        read: Returns the energy of the processor's packages (``package-0`` …) and of NVIDIA cards (``gpu-0`` …) since
            some moment, joules; what else it returns is not counted.
        source: The sensor, for people.
        processor: Whether packages are among it.
        accelerators: Whether cards are.
    """

    read: Callable[[], dict[str, float]]
    source: str
    processor: bool = True
    accelerators: bool = False

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Measure what is drawn within the ``with`` block."""
        window, started, before = Window(), time.perf_counter(), self._total()
        try:
            yield window
        finally:
            window.joules, window.seconds = self._total() - before, time.perf_counter() - started

    def _total(self) -> float:
        return sum(joules for name, joules in self.read().items() if name.startswith(("package", "gpu")))


def open_meter(stack: ExitStack, root: Path = Path("/")) -> Meter:
    """Return the best meter of this machine: a Jetson's INA3221, RAPL and NVML, or ``tegrastats``.

    Args:
        stack: Closed by the caller once the meter is no longer needed.
        root: The folder that holds ``sys``.

    Raises:
        UnavailableError: There is none; the message says why.
    """
    sensors = Sensors(root)
    readings = sensors.read()
    if readings.watts:
        rails = total_rails(readings.watts)
        return RailMeter(lambda: sensors.read().watts, rails, f"INA3221: {' + '.join(rails)}")
    cards, packages = _cards(stack), any(name.startswith("package") for name in readings.joules)
    if cards is not None:
        source = (
            "RAPL and NVML: the processor's packages and NVIDIA's cards" if packages else "NVML: NVIDIA's cards only"
        )
        return CounterMeter(lambda: sensors.read().joules | cards.read(), source, packages, accelerators=True)
    if packages:
        return CounterMeter(lambda: sensors.read().joules, "RAPL: the processor's packages only")
    try:
        tegrastats = stack.enter_context(Tegrastats())
    except UnavailableError as error:
        raise UnavailableError(f"{_no_sensor(root)} {error.message}") from error
    rails = total_rails(tegrastats.read())
    return RailMeter(tegrastats.read, rails, f"tegrastats: {' + '.join(rails)}")


def _cards(stack: ExitStack) -> NvidiaCards | None:
    try:
        return stack.enter_context(NvidiaCards())
    except UnavailableError:
        return None


def _no_sensor(root: Path) -> str:
    domains = sorted((root / _RAPL).glob("intel-rapl:?"))
    if domains:
        return f"Only root may read {domains[0] / 'energy_uj'} (RAPL), and no INA3221 is there."
    return "This machine shows neither INA3221 rails nor RAPL counters."


# Which rails of a Jetson together are what it draws. The first line whose rails are all there is taken: an input rail
# includes the others, which else are added up. Source: "Software-Based Power Consumption Modeling" of the Jetson Linux
# Developer Guide, docs.nvidia.com/jetson/archives/r36.3/DeveloperGuide/SD/PlatformPowerAndPerformance
_TOTALS: tuple[tuple[str, ...], ...] = (
    ("VDD_IN",),  # Orin Nano, Orin NX, Xavier NX, TX2
    ("POM_5V_IN",),  # Nano
    ("VIN",),  # Thor: the board's input
    ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),  # AGX Orin; VDDQ_VDD2_1V8AO is part of VIN_SYS_5V0
    ("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"),  # Thor, where its input's sensor is hidden
    ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),  # AGX Xavier
)


def total_rails(names: Collection[str]) -> tuple[str, ...]:
    """Return the rails whose powers add up to what the module draws.

    Raises:
        UnavailableError: No such set of rails is known.
    """
    for rails in _TOTALS:
        if set(rails) <= set(names):
            return rails
    raise UnavailableError(f"Which of the rails {', '.join(sorted(names))} make the whole module is not known.")
