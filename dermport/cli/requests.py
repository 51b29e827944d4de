"""From the fields of a request to the options of a command (:mod:`dermport.options` shows how), and its errors back."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable, Collection
from dataclasses import MISSING
from functools import wraps
from typing import Any, get_args, get_origin

import typer

from dermport.errors import DermportError
from dermport.options import OptionField, filled, option_fields


def asks(request: type, *, without: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command the options of a request's fields before its own.

    The command is called with the request, made of them, as its first argument; a field ``command`` of it is what a
    person typed.

    Args:
        request: A dataclass.
        without: The fields that are no options of this command.
    """
    listed = [one for one in option_fields(request) if one.name not in without]

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(command, eval_str=True).parameters.values()

        @wraps(command)
        def asked(**options: Any) -> None:
            values = {one.name: _value(one, options.pop(one.name)) for one in listed}
            command(filled(request, {"command": shlex.join(["dermport", *sys.argv[1:]]), **values}), **options)

        keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
        parameters = [*map(_parameter, listed), *keywords]
        asked.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        asked.__annotations__ = {one.name: one.annotation for one in parameters}
        return asked

    return decorated


def name_options(error: DermportError) -> None:
    """Let an error that names fields of a request name the options that they are."""
    if error.of is not None:
        flags = {one.name: one.flag for one in option_fields(error.of)}
        error.name_fields(lambda field: flags.get(field, f"--{field.replace('_', '-')}"))


def _parameter(one: OptionField) -> inspect.Parameter:
    option, several, start = one.option, _is_tuple(one), one.default
    if several and start is not MISSING:
        start = list(start) or None
    shown: dict[str, Any] = {
        "default": ... if start is MISSING else start,
        "help": _help(one),
        "metavar": option.metavar or None,
        "rich_help_panel": option.panel or None,
    }
    kind = list[get_args(one.type)[0]] | None if several else one.type  # type: ignore[misc]
    made = typer.Argument(**shown) if option.argument else typer.Option(shown.pop("default"), one.flag, **shown)
    return inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=made, annotation=kind)


def _value(one: OptionField, given: Any) -> Any:
    return tuple(given or ()) if _is_tuple(one) else given


def _is_tuple(one: OptionField) -> bool:
    return get_origin(one.type) is tuple


def _help(one: OptionField) -> str:
    range_ = one.option.range
    return f"{one.option.help} {range_[0].upper()}{range_[1:]}." if range_ else one.option.help
