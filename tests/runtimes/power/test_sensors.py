"""Sensors, on planted trees like those of a Jetson Orin and of an x86 machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from dermport.runtimes.power.sensors import Readings, Sensors

CHIP = "sys/bus/i2c/devices/1-0040/hwmon/hwmon3"
RAPL = "sys/class/powercap/intel-rapl:0"
ORIN: dict[str, str] = {
    f"{CHIP}/name": "ina3221",
    f"{CHIP}/in1_label": "VDD_IN",
    f"{CHIP}/in1_input": "5000",
    f"{CHIP}/curr1_input": "1240",
    f"{CHIP}/in2_label": "VDD_CPU_GPU_CV",
    f"{CHIP}/in2_input": "4984",
    f"{CHIP}/curr2_input": "304",
    f"{CHIP}/in3_label": "NC",
    f"{CHIP}/in3_input": "12",
    f"{CHIP}/curr3_input": "0",
    f"{CHIP}/in7_label": "sum of shunt voltages",
    f"{CHIP}/in7_input": "1240",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": "48593",
    "sys/class/thermal/thermal_zone3/type": "cv0-thermal",
    "sys/class/thermal/thermal_zone3/temp": "",
}
X86: dict[str, str] = {
    f"{RAPL}/name": "package-0",
    f"{RAPL}/energy_uj": "9000000",
    f"{RAPL}/max_energy_range_uj": "10000000",
    f"{RAPL}:0/name": "core",
    f"{RAPL}:0/energy_uj": "5",
}


def plant(root: Path, files: Mapping[str, str]) -> Sensors:
    """Write the files of a machine below `root`."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{text}\n")
    return Sensors(root)


def test_a_jetsons_rails_and_zones(tmp_path: Path) -> None:
    readings = plant(tmp_path, ORIN).read()
    assert readings.watts == pytest.approx({"VDD_IN": 6.2, "VDD_CPU_GPU_CV": 1.515136})
    assert readings.celsius == {"cpu-thermal": 48.593}
    assert readings.joules == {}


@pytest.mark.parametrize("missing", ["curr1_input", "in1_input", "in1_label"])
def test_half_a_rail_is_absent_not_zero(tmp_path: Path, missing: str) -> None:
    sensors = plant(tmp_path, ORIN)
    (tmp_path / CHIP / missing).unlink()
    assert set(sensors.read().watts) == {"VDD_CPU_GPU_CV"}


def test_other_chips_on_the_bus_are_no_rails(tmp_path: Path) -> None:
    assert plant(tmp_path, {**ORIN, f"{CHIP}/name": "tmp451"}).read().watts == {}


def test_an_x86_processors_energy_counts_from_the_first_reading_and_over_its_end(tmp_path: Path) -> None:
    sensors = plant(tmp_path, X86)
    assert sensors.read().joules == {"package-0": 0.0}
    (tmp_path / RAPL / "energy_uj").write_text("9500000\n")
    assert sensors.read().joules == {"package-0": 0.5}
    (tmp_path / RAPL / "energy_uj").write_text("250000\n")
    assert sensors.read().joules == pytest.approx({"package-0": 1.25})


def test_energy_that_may_not_be_read_is_absent(tmp_path: Path) -> None:
    sensors = plant(tmp_path, X86)
    energy = tmp_path / RAPL / "energy_uj"
    energy.unlink()
    energy.mkdir()  # what root, too, cannot read as a file
    assert sensors.read().joules == {}


def test_a_machine_without_sensors_says_nothing(tmp_path: Path) -> None:
    assert Sensors(tmp_path).read() == Readings({}, {}, {})


def test_this_machine_can_be_asked() -> None:
    readings = Sensors().read()
    assert all(value > 0 for value in readings.watts.values())
