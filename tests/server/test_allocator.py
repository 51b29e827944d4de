"""The allocator gives back what a process once needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_GROW = """
import psutil
from dermport.server.allocator import give_back_from
own = psutil.Process()
give_back_from(256 * 1024)
before = own.memory_info().rss
del (large := {"one": bytearray(16_000_000)})["one"]  # from here on, glibc keeps blocks up to this size
blocks = [bytearray(b"x") * 2_000_000 for _ in range(30)]
last = bytearray(5_000)  # lies above them
del blocks
print(own.memory_info().rss - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_large_blocks_are_gone_when_they_are_freed() -> None:
    grown = subprocess.run([sys.executable, "-c", _GROW], capture_output=True, text=True, check=True).stdout
    assert int(grown) < 5_000_000  # else 28 million
