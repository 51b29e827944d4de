"""``dermport search`` as its users type it: what it prints, refuses, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from dermport.bundle.store import Bundle
from dermport.cli.search import search
from dermport.errors import UsageError
from tests.compression.conftest import drawn, shared_parent

pytestmark = pytest.mark.usefixtures("shallow")

__all__ = ["drawn", "shared_parent"]


def run(*words: object) -> Result:
    app = typer.Typer()
    app.command()(search)
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def asked(shared_parent: Bundle, drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """The words of a search for two candidates, the parent in float32 and in int8, that is over already."""
    out = tmp_path_factory.mktemp("search") / "out"
    chosen = ("--precision", "fp32", "--precision", "int8", "--trials", 2, "--rounds", 4)
    words = (shared_parent.path, "--data", drawn, "--out", out, *chosen)
    assert run(*words).exit_code == 0
    return words


def test_json_is_one_document_and_people_read_stderr(asked: tuple[object, ...]) -> None:
    result = run(*asked, "--budget", "≤100 MB", "--json")
    document = json.loads(result.stdout)
    assert document["picked"] in document["front"]
    assert len(document["candidates"]) == 2
    assert document["finalists"] == []
    assert "Pareto front" in result.stderr
    assert "No test photo was looked at" in " ".join(result.stderr.split())
    assert result.exit_code == 0


def test_a_budget_that_nothing_fits_ends_with_1_and_names_the_nearest(asked: tuple[object, ...]) -> None:
    result = run(*asked, "--budget", "<=1 KB")
    assert result.exit_code == 1
    assert "Nothing fits the budget" in result.stderr
    assert "beyond <=1 KB" in " ".join(result.stderr.split())


def test_what_was_timed_here_is_a_profile_for_elsewhere(asked: tuple[object, ...], tmp_path: Path) -> None:
    run(*asked, "--write-profile", tmp_path / "here.json")
    out = ("--out", tmp_path / "by-profile", "--device", tmp_path / "here.json")
    result = run(*asked, *out, "--json")
    latencies = [one["latency"] for one in json.loads(result.stdout)["candidates"]]
    assert {latency["source"] for latency in latencies} == {"by profile"}
    assert "by the profile of" in " ".join(result.stderr.split())
    assert "not measured" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--budget", "small"), "≤1 MB"),
        (("--to", "abacus"), "abacus"),
        (("--precision", "int7"), "int7"),
        (("--device", "no.json"), r"no\.json"),
        (("--space", "no.toml"), r"no\.toml"),
        (("--parallel", "-1"), "--parallel -1"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_read(
    words: tuple[str, ...], why: str, shared_parent: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=why):
        run(shared_parent.path, "--data", tmp_path / "nowhere", "--out", tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()
