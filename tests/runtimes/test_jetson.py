"""JetPack and L4T, from the files of a Jetson."""

from __future__ import annotations

from pathlib import Path

import pytest

from dermport.runtimes.jetson import jetpack, jetpack_of, l4t


@pytest.mark.parametrize(
    ("release", "version", "name"),
    [
        ("# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref", "35.4.1", "JetPack 5 (L4T 35.4.1)"),
        ("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic", "36.4.3", "JetPack 6 (L4T 36.4.3)"),
        ("# R38 (release), REVISION: 2.0, GCID: 41844464, BOARD: generic", "38.2.0", "JetPack 7 (L4T 38.2.0)"),
        ("# R28 (release), REVISION: 2.1, GCID: 11272647, BOARD: t186ref", "28.2.1", "L4T 28.2.1"),
        ("", None, None),
    ],
)
def test_jetpack_of_l4t(tmp_path: Path, release: str, version: str | None, name: str | None) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text(f"{release}\n")
    assert l4t(tmp_path) == version
    assert jetpack_of(version) == name
    assert jetpack(tmp_path) == (f"L4T {version}" if version else "L4T")


def test_no_jetson_has_no_jetpack(tmp_path: Path) -> None:
    assert (jetpack(tmp_path), l4t(tmp_path)) == ("", None)
