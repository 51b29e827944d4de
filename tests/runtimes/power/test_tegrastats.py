"""What ``tegrastats`` of JetPack 4 to 7 prints, and a stand-in for the program."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from dermport.errors import UnavailableError
from dermport.runtimes.power.meter import total_rails
from dermport.runtimes.power.tegrastats import Tegrastats, watts

TX2 = (
    "RAM 3276/7859MB (lfb 5x4MB) SWAP 1626/12122MB (cached 181MB) CPU [44%@1421,49%@2031] EMC_FREQ 1%@1866 "
    "GR3D_FREQ 0%@114 APE 150 PLL@42.5C GPU@39.5C thermal@41.3C VDD_SYS_GPU 182/182 VDD_SYS_SOC 730/730 "
    "VDD_4V0_WIFI 0/0 VDD_IN 5297/5297 VDD_SYS_CPU 1917/1917 VDD_SYS_DDR 1241/1241"
)
ORIN_NX = (
    "11-14-2024 22:54:33 RAM 4300/7620MB (lfb 3x4MB) CPU [8%@729,1%@729] GR3D_FREQ 0% cpu@50.3C soc2@49.9C "
    "VDD_IN 5704mW/5704mW VDD_CPU_GPU_CV 1180mW/1180mW VDD_SOC 1456mW/1456mW"
)
AGX_ORIN = (
    "RAM 5137/62841MB (lfb 2x4MB) GR3D_FREQ 50%@[611,0] GPU@51.0C VDD_GPU_SOC 4000mW/3900mW VDD_CPU_CV 800mW/790mW "
    "VIN_SYS_5V0 7000mW/6500mW NC 0mW/0mW VDDQ_VDD2_1V8AO 403mW/403mW"
)
THOR = (
    "RAM 4421/125772MB (lfb 7x4MB) CPU [0%@972] gpu@33.1C tj@34.4C VDD_GPU -392mW/0mW/2360mW "
    "VDD_CPU_SOC_MSS 3924mW/3925mW/4318mW VIN_SYS_5V0 5516mW/5512mW/5600mW VIN 23000mW/22950mW/24100mW"
)


@pytest.mark.parametrize(
    ("line", "total"),
    [(TX2, 5.297), (ORIN_NX, 5.704), (AGX_ORIN, 4.0 + 0.8 + 7.0), (THOR, 23.0)],
    ids=["JetPack 4", "JetPack 5 and 6", "AGX Orin has no input rail", "JetPack 7"],
)
def test_the_modules_power_now(line: str, total: float) -> None:
    rails = watts(line)
    assert sum(rails[name] for name in total_rails(rails)) == pytest.approx(total)


def test_all_rails_of_a_line_and_nothing_else() -> None:
    assert watts(ORIN_NX) == {"VDD_IN": 5.704, "VDD_CPU_GPU_CV": 1.18, "VDD_SOC": 1.456}
    assert watts(THOR)["VDD_GPU"] == -0.392
    assert watts("RAM 3276/7859MB GPU@39.5C") == {}


def test_rails_that_nobody_knows_have_no_total() -> None:
    with pytest.raises(UnavailableError, match="VDD_ODD"):
        total_rails({"VDD_ODD", "VDD_SOC"})


def _program(folder: Path, script: str) -> tuple[str]:
    path = folder / "tegrastats"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return (str(path),)


def test_reads_a_running_program(tmp_path: Path) -> None:
    with Tegrastats(_program(tmp_path, f"echo 'a first line'; echo '{ORIN_NX}'; exec sleep 60")) as running:
        assert running.read()["VDD_IN"] == 5.704


def test_a_program_that_tells_no_power_is_of_no_use(tmp_path: Path) -> None:
    silent = Tegrastats(_program(tmp_path, "echo 'RAM 1/2MB'; exec sleep 60"))
    silent.patience = 0.2
    with pytest.raises(UnavailableError, match="no rail"):
        silent.__enter__()


def test_a_machine_without_the_program() -> None:
    with pytest.raises(UnavailableError, match="no-such-program"):
        Tegrastats(("no-such-program",)).__enter__()
