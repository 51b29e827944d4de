"""A report as one self-contained HTML page: no script, no request to anywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dermport.bundle.notice import NOTICE
from dermport.exporters.benchmark.reporting.table import Section
from dermport.figures.svg import hatch_definitions

_INTERVAL = re.compile(r"(?P<value>.*\S) (?P<ends>\([^()]+ to [^()]+\))")
_FOLDER = Path(__file__).parent


def to_html(title: str, sections: Sequence[Section]) -> str:
    """Return the page."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["stacked"] = stacked
    template = environment.get_template("report.html")
    return template.render(title=title, sections=sections, notice=NOTICE, hatches=hatch_definitions())


def stacked(words: str) -> str:
    """Return a cell's HTML: an interval stands below its value, so that columns are narrow and it stays whole."""
    from markupsafe import Markup, escape

    found = _INTERVAL.fullmatch(words)
    if found is None:
        return escape(words)
    return Markup('{value} <span class="ends">{ends}</span>').format(**found.groupdict())
