"""NVIDIA's cards, on a planted management library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

from dermport.errors import UnavailableError
from dermport.runtimes.power.meter import open_meter
from dermport.runtimes.power.nvidia import NvidiaCards
from tests.runtimes.power.test_sensors import ORIN, RAPL, X86, plant


class Nvml(ModuleType):
    """NVML with some cards: the millijoules that each has counted, None of one that counts nothing."""

    class NVMLError(Exception):
        pass

    def __init__(self, *counters: int | None, driver: bool = True) -> None:
        super().__init__("pynvml")
        self.counters, self.driver, self.open = list(counters), driver, 0

    def nvmlInit(self) -> None:
        if not self.driver:
            raise self.NVMLError("Driver Not Loaded")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.counters)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetTotalEnergyConsumption(self, card: int) -> int:
        if (counted := self.counters[card]) is None:
            raise self.NVMLError("Not Supported")
        return counted


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nvml]:
    planted = Nvml(7_000, None, 500)
    monkeypatch.setitem(sys.modules, "pynvml", planted)
    yield planted
    assert planted.open == 0


def test_cards_that_count_are_read_in_joules(nvml: Nvml) -> None:
    with NvidiaCards() as cards:
        assert cards.read() == {"gpu-0": 7.0, "gpu-2": 0.5}
        nvml.counters[0] = 9_500
        assert cards.read()["gpu-0"] == 9.5


@pytest.mark.parametrize(("planted", "said"), [(Nvml(None), "counts its energy"), (Nvml(1, driver=False), "driver")])
def test_why_no_card_is_measured(monkeypatch: pytest.MonkeyPatch, planted: Nvml, said: str) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", planted)
    with pytest.raises(UnavailableError, match=said), NvidiaCards():
        pass
    assert planted.open == 0


def test_without_the_library_the_remedy_is_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(UnavailableError, match=r"dermport\[nvidia\]"), NvidiaCards():
        pass


def test_processor_and_cards_together(nvml: Nvml, tmp_path: Path) -> None:
    plant(tmp_path, X86)
    with ExitStack() as stack:
        meter = open_meter(stack, tmp_path)
        assert (meter.processor, meter.accelerators, "RAPL and NVML" in meter.source) == (True, True, True)
        with meter.window() as window:
            (tmp_path / RAPL / "energy_uj").write_text("9250000\n")
            nvml.counters[0] = 9_000
    assert window.joules == pytest.approx(0.25 + 2.0)


def test_cards_alone_do_not_see_the_processor(nvml: Nvml, tmp_path: Path) -> None:
    with ExitStack() as stack:
        meter = open_meter(stack, tmp_path)
        assert (meter.processor, meter.accelerators) == (False, True)


def test_a_jetson_has_its_rails(nvml: Nvml, tmp_path: Path) -> None:
    plant(tmp_path, ORIN)
    with ExitStack() as stack:
        assert open_meter(stack, tmp_path).source.startswith("INA3221")
