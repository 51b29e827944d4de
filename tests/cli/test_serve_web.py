"""``dermport serve --web``: which folder is handed out, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dermport.cli import serve
from dermport.cli.main import build_app
from dermport.errors import UsageError


def test_a_folder_without_the_app_is_refused_before_anything_starts(tmp_path: Path) -> None:
    result = CliRunner().invoke(build_app(), ["serve", str(tmp_path / "bundle"), "--web", str(tmp_path)])
    assert isinstance(result.exception, UsageError)
    assert "make web" in result.exception.remedy


def test_the_built_app_is_found_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_BUILT_WEB", tmp_path)
    assert serve._web_app(None) is None
    (tmp_path / "index.html").touch()
    assert serve._web_app(None) == tmp_path
    assert serve._web_app(tmp_path) == tmp_path
