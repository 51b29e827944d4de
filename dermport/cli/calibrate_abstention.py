"""``dermport calibrate-abstention``: gives a bundle a rule for when its model cannot tell, as a new bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli import output
from dermport.cli.options import BundleArgument, Data, Json, Out
from dermport.cli.output import emit_json, say

if TYPE_CHECKING:
    from dermport.bundle.manifest import Abstention
    from dermport.bundle.store import Bundle


def calibrate_abstention(
    bundle: BundleArgument,
    data: Data,
    out: Out,
    answer_rate: Annotated[
        float, typer.Option("--answer-rate", help="Share of the validation photos that must still be answered.")
    ] = 0.95,
    json: Json = False,
) -> None:
    """Choose on validation photos when the model cannot tell; the model and its exports stay what they are."""
    from dermport.bundle.store import Bundle
    from dermport.training.abstained import write_abstaining

    opened = Bundle.open(bundle)
    rule = _rule(opened, data, answer_rate)
    made = write_abstaining(opened, rule, out)
    for part, share in rule.answered.items():
        say(f"{part}: {share.count:,} of {share.of:,} photos are answered ({share.count / max(1, share.of):.1%})")
    say(f"Cannot tell beyond a distance of {rule.threshold:.3g}. Written to [bold]{made.path}[/bold].")
    if json:
        emit_json(rule.model_dump(mode="json"))


def _rule(bundle: Bundle, data: Path, answer_rate: float) -> Abstention:
    from dermport.training.evaluation.abstention import check_answer_rate, fit_abstention, survey_inputs, with_shares
    from dermport.workflows.photos import read_photos

    check_answer_rate(answer_rate)
    validation, test = (
        survey_inputs(read_photos(bundle, data, part, progress=output).tensors(bundle.manifest.preprocessing))
        for part in ("validation", "test")
    )
    return with_shares(fit_abstention(validation, answer_rate), {"test": test})
