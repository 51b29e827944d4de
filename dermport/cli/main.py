"""The ``dermport`` command: one app, one file per subcommand, one place where errors become exit codes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dermport.bundle.atomic import check_writable
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
from dermport.cli.import_model import import_model
from dermport.cli.keys import app as keys
from dermport.cli.models import app as models
from dermport.cli.os_errors import in_words
from dermport.cli.package import package
from dermport.cli.quiet import libraries_unheard
from dermport.cli.reproduce import reproduce
from dermport.cli.requests import name_options
from dermport.cli.robustness import robustness
from dermport.cli.runs import runs
from dermport.cli.sample_data import sample_data
from dermport.cli.search import search
from dermport.cli.serve import serve
from dermport.cli.signing import app as signing
from dermport.cli.targets import targets
from dermport.cli.train import train
from dermport.cli.verify import verify
from dermport.errors import DermportError

# In the order of the work, which is also the order of --help.
COMMANDS: tuple[Callable[..., None], ...] = (
    sample_data,
    data,
    train,
    import_model,
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
NAMES = {"import_model": "import"}  # a word of Python's
GROUPS: tuple[typer.Typer, ...] = (keys, models, signing)
# Their stderr is a log by itself, or that of the commands that they run.
HEARD = frozenset({"serve", "demo"})


class Commands(typer.core.TyperGroup):
    """The subcommands: each option an environment variable, too; an error that names fields names the options.

    Whether there is room for the result is seen before the work, whatever the command.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        _prepare_options(self)

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand that was asked for; on stderr are its own words alone, unless it is --verbose."""
        heard = ctx.params.get("verbose") or {*ctx._protected_args, *ctx.args[:1]} & HEARD
        try:
            with contextlib.nullcontext() if heard else libraries_unheard():
                return super().invoke(ctx)
        except DermportError as error:
            name_options(error)
            raise


def _prepare_options(group: Any) -> None:
    """Let every option of every subcommand be given as ``DERMPORT_<OPTION>``; the README tells the rule once."""
    for command in group.commands.values():
        if hasattr(command, "commands"):
            _prepare_options(command)
        for one in command.params:
            if one.param_type_name == "option" and one.envvar is None:
                one.envvar, one.show_envvar = variable_of(one.opts), False
            if "--out" in one.opts:
                one.callback = _writable


def _writable(ctx: Any, param: Any, value: Any) -> Any:
    for path in value or () if isinstance(value, (list, tuple)) else (value,):
        if path is not None:
            check_writable(Path(path))
    return value


def variable_of(flags: list[str]) -> str:
    """Return e.g. ``DERMPORT_INPUT_SIZE`` for ``--input-size``."""
    return "DERMPORT_" + max(flags, key=len).lstrip("-").replace("-", "_").upper()


def build_app() -> typer.Typer:
    """Return the Typer app with every subcommand registered."""
    app = typer.Typer(name="dermport", cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(_for_all)
    for command in COMMANDS:
        app.command(NAMES.get(command.__name__))(command)
    for group in GROUPS:
        app.add_typer(group)
    return app


def _for_all(
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show what TensorFlow and other libraries print, too.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; what goes wrong is printed in plain words.

    A DermportError ends with its exit code, an error of the operating system with 2.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow reads it when it is first imported
    _take_any_character(sys.stdout)
    try:
        build_app()()
    except DermportError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end("interrupted; nothing half-written is left.", 130)
    except Exception as error:
        if not (said := in_words(error)):
            raise
        _end(said, DermportError.exit_code)


def _end(said: str, code: int) -> None:
    sys.stderr.write(f"dermport: {said}\n")
    sys.exit(code)


def _take_any_character(stream: Any) -> None:
    """Have a character that the terminal's encoding lacks printed as "?"; JSON has none of these."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
