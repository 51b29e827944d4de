from __future__ import annotations

import os
import random
from pathlib import Path

from dermport.exporters.benchmark.results import compressed_bytes, stored_bytes


def test_a_file_and_a_folder(tmp_path: Path) -> None:
    noise = random.Random(0).randbytes(10_000)
    (tmp_path / "file").write_bytes(noise)
    folder = tmp_path / "package" / "Data"
    folder.mkdir(parents=True)
    (folder / "zeros").write_bytes(bytes(1_000_000))
    (folder / "noise").write_bytes(noise)
    assert stored_bytes(tmp_path / "file") == 10_000
    assert stored_bytes(tmp_path / "package") == 1_010_000
    assert 10_000 <= compressed_bytes(tmp_path / "file") < 10_100, "noise does not compress"
    assert 10_000 < compressed_bytes(tmp_path / "package") < 12_000


def test_equal_bytes_compress_equally_whenever_written(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"weights" * 1000)
    os.utime(tmp_path / "b", (0, 0))
    assert compressed_bytes(tmp_path / "a") == compressed_bytes(tmp_path / "b")
