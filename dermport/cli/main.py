"""The ``dermport`` command: one app, one file per subcommand, one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from dermport.cli.benchmark import benchmark
from dermport.cli.build_engine import build_engine
from dermport.cli.calibrate_abstention import calibrate_abstention
from dermport.cli.compare import compare
from dermport.cli.compress import compress
from dermport.cli.cross_validate import cross_validate
from dermport.cli.data import data
from dermport.cli.demo import demo
from dermport.cli.doctor import doctor
from dermport.cli.evaluate import evaluate
from dermport.cli.explain import explain
from dermport.cli.export import export
from dermport.cli.keys import app as keys
from dermport.cli.models import app as models
from dermport.cli.package import package
from dermport.cli.reproduce import reproduce
from dermport.cli.requests import name_options
from dermport.cli.robustness import robustness
from dermport.cli.runs import runs
from dermport.cli.sample_data import sample_data
from dermport.cli.search import search
from dermport.cli.serve import serve
from dermport.cli.targets import targets
from dermport.cli.train import train
from dermport.cli.verify import verify
from dermport.errors import DermportError

# In the order of the work, which is also the order of --help.
COMMANDS: tuple[Callable[..., None], ...] = (
    sample_data,
    data,
    train,
    cross_validate,
    reproduce,
    runs,
    evaluate,
    robustness,
    calibrate_abstention,
    compress,
    search,
    export,
    build_engine,
    verify,
    explain,
    benchmark,
    package,
    serve,
    compare,
    targets,
    doctor,
    demo,
)
GROUPS: tuple[typer.Typer, ...] = (keys, models)


class Commands(typer.core.TyperGroup):
    """The subcommands: each option an environment variable, too; an error that names fields names the options."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        _name_variables(self)

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand that was asked for."""
        try:
            return super().invoke(ctx)
        except DermportError as error:
            name_options(error)
            raise


def _name_variables(group: Any) -> None:
    """Let every option of every subcommand be given as ``DERMPORT_<OPTION>``; the README tells the rule once."""
    for command in group.commands.values():
        if hasattr(command, "commands"):
            _name_variables(command)
        for one in command.params:
            if one.param_type_name == "option" and one.envvar is None:
                one.envvar, one.show_envvar = variable_of(one.opts), False


def variable_of(flags: list[str]) -> str:
    """Return e.g. ``DERMPORT_INPUT_SIZE`` for ``--input-size``."""
    return "DERMPORT_" + max(flags, key=len).lstrip("-").replace("-", "_").upper()


def build_app() -> typer.Typer:
    """Return the Typer app with every subcommand registered."""
    app = typer.Typer(name="dermport", cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)
    for command in COMMANDS:
        app.command()(command)
    for group in GROUPS:
        app.add_typer(group)
    return app


def main() -> None:
    """Run the command line; a DermportError is printed in plain words and ends with its exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow reads it when it is first imported
    try:
        build_app()()
    except DermportError as error:
        sys.stderr.write(f"dermport: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("dermport: interrupted; nothing half-written is left.\n")
        sys.exit(130)
