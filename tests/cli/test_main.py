"""The whole app: every option as an environment variable, and completion."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from dermport.cli.main import build_app
from dermport.cli.output import bar


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


def _commands(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*before, name)
        if hasattr(command, "commands"):
            yield from _commands(command, (*before, name))


def test_no_help_is_cut_off_at_80_columns() -> None:
    app = build_app()
    for words in _commands(typer.main.get_command(app)):
        shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"}).output
        assert not re.search(r"\S… *│", shown), words


def test_a_bar_leaves_stderr_to_whom_it_belongs() -> None:
    stderr, stdout = sys.stderr, sys.stdout
    with bar("work"):  # rich would have both, and with them what libraries print and the loggers that they make
        assert (sys.stderr, sys.stdout) == (stderr, stdout)


def test_help_shows_no_variables_and_completion_can_be_installed() -> None:
    assert "DERMPORT_" not in CliRunner().invoke(build_app(), ["train", "--help"]).output
    assert "--install-completion" in CliRunner().invoke(build_app(), ["--help"]).output
