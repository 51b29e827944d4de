"""A report as one self-contained HTML page: no script, no request to anywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dermport.bundle.notice import NOTICE
from dermport.exporters.benchmark.reporting.table import ReportSection
from dermport.figures.svg import hatch_definitions
from dermport.templates import load_template

_INTERVAL = re.compile(r"(?P<value>.*\S) (?P<ends>\([^()]+ to [^()]+\))")
_TEMPLATE = Path(__file__).with_name("report.html")


def to_html(title: str, sections: Sequence[ReportSection]) -> str:
    """Return the page."""
    template = load_template(_TEMPLATE, stacked=stacked)
    return template.render(title=title, sections=sections, notice=NOTICE, hatches=hatch_definitions())


def stacked(words: str) -> str:
    """Return a cell's HTML: an interval stands below its value, so that columns are narrow and it stays whole."""
    from markupsafe import Markup, escape

    found = _INTERVAL.fullmatch(words)
    if found is None:
        return escape(words)
    return Markup('{value} <span class="ends">{ends}</span>').format(**found.groupdict())
