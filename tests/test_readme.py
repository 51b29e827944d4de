"""The documents against the code: every command in them is understood, and the README's tour is really run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from dermport.cli.docs import README, in_step
from dermport.cli.main import build_app
from tests.cli.faults import run

ROOT = README.parent
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
# As processes of their own: one that starts more of them, and one that is quick. To import Keras for each takes longer.
_APART = ("export", "doctor")
_BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)


def _commands(text: str, kind: str | None = None) -> Iterator[list[str]]:
    for block in _BLOCK.finditer(text):
        if kind in (None, block["kind"]):
            for line in block["text"].replace("\\\n", " ").splitlines():
                if line.startswith("dermport "):
                    yield shlex.split(line.removesuffix("&"), comments=True)[1:]


DOCUMENTED = [(page, words) for page in PAGES for words in _commands(page.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def app() -> Any:
    return typer.main.get_command(build_app())


def test_readme_is_in_step_with_the_code() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == in_step(text), "run: make format"


@pytest.mark.parametrize(("page", "words"), DOCUMENTED, ids=lambda v: " ".join(v) if isinstance(v, list) else v.name)
def test_documented_command_is_understood(page: Path, words: list[str], app: Any) -> None:
    command, rest = app, list(words)
    while hasattr(command, "commands"):  # a group, such as `dermport keys`
        command = command.commands[rest.pop(0)]
    assert command.make_context(words[0], rest).params


def test_every_command_is_documented(app: Any) -> None:
    assert {words[0] for _, words in DOCUMENTED} | {"demo"} >= set(app.commands)


def test_links_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "DESIGN.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert link.startswith("https://") or (page.parent / link).exists(), f"{page.name}: {link}"


def test_tour_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tour = list(_commands(README.read_text(encoding="utf-8"), "sh"))
    assert {words[0] for words in tour} >= {"sample-data", "train", "evaluate", "export", "verify", "package"}
    monkeypatch.chdir(tmp_path)
    for words in tour:
        code, stderr = (_apart if words[0] in _APART else run)(words)
        assert code == 0, f"{shlex.join(words)}\n{stderr}"
    exports = {path.name for path in (tmp_path / "artifacts" / "first" / "exports").iterdir()}
    assert {"onnx-int8", "tflite-int8-full", "coreml-palette4", "tensorrt-fp16"} <= exports
    assert list((tmp_path / "artifacts" / "packages").glob("*.zip"))


def _apart(words: list[str]) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "dermport", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr
