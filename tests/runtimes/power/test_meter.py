from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from dermport.errors import UnavailableError
from dermport.runtimes.power.meter import CounterMeter, RailMeter, open_meter
from tests.runtimes.power.test_sensors import ORIN, RAPL, X86, plant


@pytest.fixture(autouse=True)
def _no_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)


def test_sampled_rails_are_added_up_over_time() -> None:
    meter = RailMeter(lambda: {"CPU": 2.0, "GPU": 3.0, "part of CPU": 1.0}, ("CPU", "GPU"), "planted", interval=0.01)
    with meter.window() as window:
        time.sleep(0.1)
    assert window.watts == pytest.approx(5.0)
    assert window.joules == pytest.approx(5.0 * window.seconds)
    assert window.seconds >= 0.09


def test_a_reading_without_one_of_the_rails_is_left_out() -> None:
    answers = iter([{"CPU": 2.0}, {"CPU": 2.0, "GPU": 3.0}] * 1000)
    meter = RailMeter(lambda: next(answers), ("CPU", "GPU"), "planted", interval=0.005)
    with meter.window() as window:
        time.sleep(0.1)
    assert window.watts == pytest.approx(5.0)


def test_a_sensor_that_fell_silent_measures_nothing() -> None:
    with RailMeter(dict, ("CPU",), "planted").window() as window:
        pass
    assert window.watts is None


def test_counters_are_read_at_both_ends() -> None:
    joules = iter([{"package-0": 10.0, "package-1": 1.0, "psys": 99.0}, {"package-0": 12.5, "package-1": 1.5}])
    with CounterMeter(lambda: next(joules), "planted").window() as window:
        time.sleep(0.01)
    assert window.joules == 3.0
    assert window.watts is not None


def test_a_jetsons_input_rail_is_its_meter(tmp_path: Path) -> None:
    plant(tmp_path, ORIN)
    with ExitStack() as stack:
        meter = open_meter(stack, tmp_path)
        assert (meter.source, meter.processor, meter.accelerators) == ("INA3221: VDD_IN", True, True)
        with meter.window() as window:
            time.sleep(0.02)
    assert window.watts == pytest.approx(6.2)


def test_an_x86_processors_counter_over_its_end(tmp_path: Path) -> None:
    plant(tmp_path, X86)
    with ExitStack() as stack:
        meter = open_meter(stack, tmp_path)
        assert not meter.accelerators
        with meter.window() as window:
            (tmp_path / RAPL / "energy_uj").write_text("500000\n")
    assert window.joules == pytest.approx(1.5), "9 J to the end of its range at 10 J, and 0.5 J from the start"


@pytest.mark.parametrize(("planted", "said"), [({}, "neither INA3221"), (X86, "Only root")])
def test_no_sensor_says_why(tmp_path: Path, planted: dict[str, str], said: str) -> None:
    plant(tmp_path, planted)
    for energy in tmp_path.rglob("energy_uj"):
        energy.unlink()
    with ExitStack() as stack, pytest.raises(UnavailableError, match=said):
        open_meter(stack, tmp_path)
