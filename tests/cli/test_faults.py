"""No fault of a disk or of an input ends in a traceback: exit 2, one line that names it, and nothing half-written."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dermport.bundle.store import Bundle
from dermport.training.sample.sample_set import draw_sample_set
from tests.cli.faults import HARMLESS, Said, table, unprivileged


@pytest.fixture(scope="module")
def said(shared_exports: Bundle) -> Iterator[list[Said]]:
    readable = [*unprivileged(), sys.executable, "-c", "import dermport.cli.main"]
    if subprocess.run(readable, check=False, capture_output=True).returncode:
        pytest.skip("an unprivileged user cannot read this checkout")
    folder = Path(tempfile.mkdtemp(prefix="dermport-faults-"))
    try:
        shutil.copytree(shared_exports.path, folder / "bundle")
        draw_sample_set(folder / "photos", photos=28)
        yield table(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_every_fault_is_told_in_words(said: list[Said]) -> None:
    assert len(said) > 150
    assert [one for one in said if "Traceback" in one.stderr] == []


def test_a_fault_is_bad_input_and_named(said: list[Said]) -> None:
    harmless = {(command, fault) for fault, commands in HARMLESS.items() for command in commands}
    assert [one for one in said if one.code != (0 if (one.command, one.fault) in harmless else 2)] == []
    assert [one for one in said if one.code and not one.line] == []


def test_a_bundle_that_can_only_be_read_is_verified_and_the_command_says_that_it_did_not_record(
    said: list[Said],
) -> None:
    (verified,) = [one for one in said if (one.command, one.fault) == ("verify", "read-only")]
    assert "Not recorded in" in verified.stderr
