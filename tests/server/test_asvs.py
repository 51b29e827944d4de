"""What docs/server.md says of OWASP ASVS is held by tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_chapter_names_tests_that_are_there_or_says_why_not() -> None:
    section = (ROOT / "docs" / "server.md").read_text().partition("## Held against OWASP ASVS")[2].partition("\n## ")[0]
    chapters = re.findall(r"^\| V(\d+) [^|]+\|([^|]+)\|([^|]*)\|$", section, re.MULTILINE)
    assert [int(number) for number, *_ in chapters] == list(range(1, 18))
    for number, here, held in chapters:
        named = re.findall(r"`([^`:]+)::(\w+)`", held)
        assert named or here.strip().startswith("not applicable"), number
        for path, test in named:
            assert f"\ndef {test}(" in (ROOT / "tests" / path).read_text(), f"{path}::{test}"
