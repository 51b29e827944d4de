"""Templates of pages and cards: HTML escapes what it is given, Markdown takes it as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


def load_template(path: Path, **filters: Callable[..., object]) -> Template:
    """Return the template in a file, HTML where its name ends so, else Markdown; a name that it lacks is an error.

    Args:
        path: The file.
        **filters: What the template may apply to values, by name.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    html = path.suffix == ".html"
    environment = Environment(
        loader=FileSystemLoader(path.parent),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not html,
    )
    environment.filters |= filters
    return environment.get_template(path.name)
