from __future__ import annotations

from pathlib import Path

import pytest

from dermport.exporters.benchmark.machine import power_mode, this_machine


def test_this_machine_is_named() -> None:
    machine = this_machine()
    assert machine.processor
    assert machine.cores >= 1
    assert machine.memory_mib is None or machine.memory_mib > 100


def test_a_jetson_is_known_by_its_device_tree_and_release(tmp_path: Path) -> None:
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "proc/device-tree/model").write_bytes(b"NVIDIA Jetson Orin Nano Developer Kit\0")
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\n")
    (tmp_path / "proc/meminfo").write_text("MemTotal:        7802736 kB\nMemFree: 1 kB\n")
    (tmp_path / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n")
    machine = this_machine(tmp_path)
    assert (machine.jetson, machine.jetpack) == ("NVIDIA Jetson Orin Nano Developer Kit", "JetPack 6 (L4T 36.4.3)")
    assert (machine.processor, machine.memory_mib) == ("ARMv8 Processor rev 1 (v8l)", 7619)


def test_a_board_that_is_no_jetson_is_not_called_one(tmp_path: Path) -> None:
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert this_machine(tmp_path).jetson is None


@pytest.mark.parametrize(
    ("answer", "mode"),
    [
        ("NV Fan Mode:quiet\nNV Power Mode: MODE_15W_6CORE\n2\n", "MODE_15W_6CORE"),
        ("NVPM VERB: Current mode: NV Power Mode: MAXN\n0\n", "MAXN"),
        ("", None),
    ],
)
def test_power_mode(answer: str, mode: str | None) -> None:
    assert power_mode(answer) == mode
