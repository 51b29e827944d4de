"""``dermport calibrate-abstention``: gives a bundle a rule for when its model cannot tell, as a new bundle."""

from __future__ import annotations

from typing import Annotated

import typer

from dermport.cli import output
from dermport.cli.options import BundleArgument, Data, Json, Out


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
    from dermport.workflows.calibrate_abstention import calibrate_abstention as calibrate

    made = calibrate(Bundle.open(bundle), data, out, answer_rate=answer_rate, progress=output)
    rule = made.manifest.abstention
    assert rule is not None
    for part, share in rule.answered.items():
        output.say(
            f"{part}: {share.count:,} of {share.of:,} photos are answered ({share.count / max(1, share.of):.1%})"
        )
    output.say(f"Cannot tell beyond a distance of {rule.threshold:.3g}. Written to [bold]{made.path}[/bold].")
    if json:
        output.emit_json(rule.model_dump(mode="json"))
