"""``dermport runs`` as its users type it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from dermport.bundle.store import Bundle
from dermport.cli.main import build_app
from dermport.errors import UsageError
from dermport.training.phases.state import EpochFigures, write_history


def _run(*words: object) -> Any:
    result = CliRunner().invoke(build_app(), ["runs", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_folder_is_listed(tiny_bundle: Bundle) -> None:
    result = _run(tiny_bundle.path.parent, "--json")
    assert "tiny" in result.stderr
    assert "not a diagnosis" in result.stderr or "never a diagnosis" in result.stderr
    (one,) = json.loads(result.stdout)["runs"]
    assert (one["name"], one["state"], one["path"]) == ("tiny", "finished", str(tiny_bundle.path))
    assert list(one["figures"]) == ["accuracy"]


def test_runs_are_compared_and_their_curves_drawn(tiny_bundle: Bundle, shared_bundle: Bundle, tmp_path: Path) -> None:
    history = tuple(EpochFigures("all", n, 1.0, 0.5, 1 / n, 0.5, 0.6, 1.0) for n in (1, 2, 3))
    write_history(tiny_bundle.path / "evaluation" / "history.csv", history)
    out = tmp_path / "curves.png"
    document = json.loads(_run(tiny_bundle.path, tiny_bundle.path, "--out", out, "--json").stdout)
    assert document["differing"] == []
    assert len(document["runs"]) == 2
    with Image.open(out) as image:
        assert len(image.convert("L").getcolors()) > 50, "a blank picture"


def test_what_cannot_be_meant_is_refused(tiny_bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        _run(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="two runs or more"):
        _run(tmp_path, "--out", tmp_path / "a.png")
    with pytest.raises(UsageError, match="neither a bundle"):
        _run(tiny_bundle.path, tmp_path / "nothing")
