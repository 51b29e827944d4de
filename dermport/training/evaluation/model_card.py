"""The model card in Markdown, after Mitchell et al. 2019 (doi:10.1145/3287560.3287596)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dermport.bundle.evaluation_report import EvaluationReport
from dermport.bundle.manifest import Manifest
from dermport.statistics.fairness import FIGURES
from dermport.statistics.metrics import CLASS_TITLES, TITLES
from dermport.statistics.subgroups import KINDS
from dermport.statistics.text import in_words
from dermport.templates import load_template
from dermport.training.evaluation.abstention_card import with_section

_TEMPLATE = Path(__file__).with_name("model_card.md.in")
_LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "LICENCE.md")
_LONGEST_LICENCE = 2000


def render_model_card(
    manifest: Manifest, report: EvaluationReport, training: Mapping[str, object], data_licence: str = ""
) -> str:
    """Return the model card as Markdown.

    Args:
        manifest: The bundle's; its list of files is not looked at, and may be incomplete yet.
        report: The evaluation, as ``metrics.json`` holds it.
        training: What training did, in words, in the order of the table: ``{"Optimiser": "Adam, 0.001", ...}``.
        data_licence: The text of the data's own licence file (see :func:`read_licence`).
    """
    template = load_template(
        _TEMPLATE, words=in_words, figure=lambda value: "undefined" if value is None else f"{value:.3f}"
    )
    card = template.render(
        manifest=manifest,
        report=report,
        training=training,
        data_licence=data_licence.strip(),
        titles=TITLES,
        class_titles=CLASS_TITLES,
        kinds=KINDS,
        group_figures=FIGURES,
        level=f"{100 * report.confidence:g} %",
    )
    return with_section(card, manifest.abstention) if manifest.abstention else card


def read_licence(data: Path) -> str:
    """Return the text of a data set's licence file, cut to 2,000 characters; empty where the folder holds none."""
    folder = data if data.is_dir() else data.parent
    for name in _LICENCES:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8", errors="replace")[:_LONGEST_LICENCE]
    return ""
