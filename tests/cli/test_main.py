"""The whole app: every option as an environment variable, and completion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from dermport.cli.main import build_app


def _options(group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _options(command)
        else:
            yield from ((name, one) for one in command.params if one.param_type_name == "option")


def test_every_option_has_its_variable() -> None:
    variables = {(name, one.opts[0]): one.envvar for name, one in _options(typer.main.get_command(build_app()))}
    assert all(variable and variable == variable.upper() for variable in variables.values())
    assert variables["serve", "--start-seconds"] == "DERMPORT_START_SECONDS"
    assert variables["train", "--input-size"] == "DERMPORT_INPUT_SIZE"
    assert variables["create", "--state"] == "DERMPORT_STATE"


def test_variables_are_read_and_options_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMPORT_JSON", "1")
    result = CliRunner().invoke(build_app(), ["targets"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)
    monkeypatch.setenv("DERMPORT_PHOTOS", "3")
    refused = CliRunner().invoke(build_app(), ["sample-data", "--out", "x"])
    assert "3" in str(refused.exception)
    refused = CliRunner().invoke(build_app(), ["sample-data", "--out", "x", "--photos", "2"])
    assert "2" in str(refused.exception)


def test_help_shows_no_variables_and_completion_can_be_installed() -> None:
    assert "DERMPORT_" not in CliRunner().invoke(build_app(), ["train", "--help"]).output
    assert "--install-completion" in CliRunner().invoke(build_app(), ["--help"]).output
