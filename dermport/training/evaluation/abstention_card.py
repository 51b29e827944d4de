"""What the model card says of when the model cannot tell."""

from __future__ import annotations

from dermport.bundle.manifest import Abstention

TITLE = "## When it cannot tell"


def with_section(card: str, rule: Abstention) -> str:
    """Return a model card with the section about the rule at its end, in place of an earlier one."""
    before, _, after = card.partition(f"{TITLE}\n")
    _, mark, rest = after.partition("\n## ")
    return f"{(before + mark.lstrip() + rest).rstrip()}\n\n{section(rule)}"


def section(rule: Abstention) -> str:
    """Return the section about the rule, as Markdown."""
    shares = "".join(
        f"| {part} | {share.count:,} of {share.of:,} ({share.count / max(1, share.of):.1%}; "
        f"95 % interval {share.low:.1%} to {share.high:.1%}) |\n"
        for part, share in rule.answered.items()
    )
    bounds = "".join(f"| {one.code} | {one.side} {one.threshold:.4g} |\n" for one in rule.quality)
    return f"""{TITLE}

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
