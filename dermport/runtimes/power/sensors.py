"""What the machine's own sensors say: power of a Jetson's rails, energy of an x86 processor, temperatures.

A sensor that is not there, is switched off or may not be read is absent from the answer; it is never zero.

Sources: https://docs.kernel.org/hwmon/ina3221.html (Jetson), https://docs.kernel.org/power/powercap/powercap.html
(RAPL, which only root may read since 2020), https://docs.kernel.org/driver-api/thermal/sysfs-api.html.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_INA3221 = "sys/bus/i2c/devices/*/hwmon/hwmon*"
_RAPL = "sys/class/powercap/intel-rapl:*"
_THERMAL = "sys/class/thermal/thermal_zone*"
_CHANNELS = (1, 2, 3)
_UNCONNECTED = "NC"


@dataclass(frozen=True)
class Readings:
    """What the sensors said, by name.

    Attributes:
        watts: Power of each rail now.
        joules: Energy of each processor domain since the first reading.
        celsius: Temperature of each zone now.
    """

    watts: dict[str, float]
    joules: dict[str, float]
    celsius: dict[str, float]


class Sensors:
    """The sensors below a root folder.

    Args:
        root: The folder that holds ``sys``.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._energies: dict[Path, _Energy] = {}
        self._lock = threading.Lock()

    def read(self) -> Readings:
        """Read every sensor that there is."""
        watts = dict(self._rails())
        with self._lock:
            joules = {} if watts else dict(self._domains())
        return Readings(watts, joules, dict(self._zones()))

    def _rails(self) -> Iterator[tuple[str, float]]:
        for chip in sorted(self._root.glob(_INA3221)):
            for channel in _CHANNELS if _text(chip / "name") == "ina3221" else ():
                label = _text(chip / f"in{channel}_label")
                millivolts, milliamperes = _number(chip / f"in{channel}_input"), _number(chip / f"curr{channel}_input")
                if label and label != _UNCONNECTED and millivolts is not None and milliamperes is not None:
                    yield label, millivolts * milliamperes / 1e6

    def _domains(self) -> Iterator[tuple[str, float]]:
        for folder in sorted(self._root.glob(_RAPL)):
            name, microjoules = _text(folder / "name"), _number(folder / "energy_uj")
            if folder.name.count(":") == 1 and name and microjoules is not None:
                energy = self._energies.setdefault(
                    folder, _Energy(microjoules, _number(folder / "max_energy_range_uj"))
                )
                yield name, energy.add(microjoules) / 1e6

    def _zones(self) -> Iterator[tuple[str, float]]:
        for folder in sorted(self._root.glob(_THERMAL)):
            name, millidegrees = _text(folder / "type"), _number(folder / "temp")
            if name and millidegrees is not None:
                yield name, millidegrees / 1e3


class _Energy:
    """A counter that wraps, as one that does not."""

    def __init__(self, first: int, wraps_at: int | None) -> None:
        self._last = first
        self._wraps_at = wraps_at or 0
        self._total = 0

    def add(self, now: int) -> int:
        step = now - self._last
        self._last = now
        self._total += step if step >= 0 else max(0, step + self._wraps_at)
        return self._total


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # missing, switched off (ENODATA, EAGAIN), or not for us
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.lstrip("-").isdecimal() else None
