"""The model card in Markdown, after Mitchell et al. 2019 (doi:10.1145/3287560.3287596)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dermport.bundle.evaluation_report import EvaluationReport
from dermport.bundle.manifest import Abstention, Manifest
from dermport.statistics.fairness import FIGURES
from dermport.statistics.metrics import CLASS_TITLES, TITLES
from dermport.statistics.subgroups import KINDS
from dermport.statistics.text import in_words
from dermport.templates import load_template

_TEMPLATE = Path(__file__).with_name("model_card.md.in")
_LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "LICENCE.md")
_LONGEST_LICENCE = 2000
_CANNOT_TELL = "## When it cannot tell"


def render_model_card(
    manifest: Manifest, report: EvaluationReport | None, training: Mapping[str, object], data_licence: str = ""
) -> str:
    """Return the model card as Markdown.

    Args:
        manifest: The bundle's; its list of files is not looked at, and may be incomplete yet.
        report: The evaluation, as ``metrics.json`` holds it; None where nothing was evaluated.
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
        level=f"{100 * report.confidence:g} %" if report else "",
    )
    return with_section(card, manifest.abstention) if manifest.abstention else card


def read_licence(data: Path) -> str:
    """Return the text of a data set's licence file, cut to 2,000 characters; empty where the folder holds none.

    Archives that are unpacked side by side have it one folder below.
    """
    folder = data if data.is_dir() else data.parent
    found = [
        path for name in _LICENCES for path in (folder / name, *sorted(folder.glob(f"*/{name}"))) if path.is_file()
    ]
    return found[0].read_text(encoding="utf-8", errors="replace")[:_LONGEST_LICENCE] if found else ""


def with_section(card: str, rule: Abstention) -> str:
    """Return a model card with the section about the rule at its end, in place of an earlier one."""
    before, _, after = card.partition(f"{_CANNOT_TELL}\n")
    _, mark, rest = after.partition("\n## ")
    return f"{(before + mark.lstrip() + rest).rstrip()}\n\n{_section(rule)}"


def _section(rule: Abstention) -> str:
    """Return the section about the rule, as Markdown."""
    shares = "".join(
        f"| {part} | {share.count:,} of {share.of:,} ({share.count / max(1, share.of):.1%}; "
        f"95 % interval {share.low:.1%} to {share.high:.1%}) |\n"
        for part, share in rule.answered.items()
    )
    bounds = "".join(f"| {one.code} | {one.side} {one.threshold:.4g} |\n" for one in rule.quality)
    return f"""{_CANNOT_TELL}

Instead of a decision the model says that it cannot tell where its input is too dark, too bright, blurred or shows
nothing, and where the colours of the input lie further than {rule.threshold:.4g} (Mahalanobis distance) from those of
the {rule.part} photos. At least {rule.answer_rate:.0%} of these were to be answered. This tells inputs of another kind
from known ones; it does not tell right answers from wrong ones. What was rare in training looks unlike it: rare
classes, darker skin and other lamps may be refused more often. `dermport robustness` measures by label and skin tone.

| Part | Answered |
|---|--:|
{shares}
| Value of the input | Cannot tell |
|---|--:|
{bounds}"""
