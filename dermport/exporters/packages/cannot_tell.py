"""When a model cannot tell, as a package says it: in words, and as what a port must find in the package's photos."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from dermport.bundle.abstention import OUT_OF_DISTRIBUTION, QUALITY, Reason, reasons, words_of
from dermport.bundle.manifest import Abstention, Preprocessing
from dermport.bundle.notice import NOTICE
from dermport.bundle.photo_quality import survey_input
from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle
from dermport.bundle.vectors import FOLDER, read_vectors
from dermport.contract import Contract, RelativePath, Sha256

FILE = "cannot-tell.json"
_NO_RULE = (
    "This bundle has no rule for when its model cannot tell (`abstention` of `bundle.json`): every photo is answered."
)
_RULE = """First, though, the rule of `bundle.json`, `abstention`, looks at the model's input. Where a value lies beyond
its bound, the model **cannot tell**: say so, and why, and give no decision, neither yes nor no. Label and probabilities
are then for research alone. What to say, in your users' language:"""


class Finding(Contract):
    """One photo of a package, as the bundle's preprocessing prepares it, and what the rule finds."""

    photo: RelativePath
    input_sha256: Sha256
    values: Annotated[dict[str, float | None], Field(description="of the input, by name; null: cannot be said")]
    answer: Literal["decision", "cannot_tell"]
    reasons: tuple[Reason, ...]


class Findings(Contract):
    """The whole of ``cannot-tell.json``."""

    schema_version: Annotated[Literal["dermport-cannot-tell/1"], Field(alias="schema")] = "dermport-cannot-tell/1"
    notice: str = NOTICE
    preprocessing: Preprocessing
    photos: tuple[Finding, ...]


def findings(bundle: Bundle) -> Findings:
    """Return what the bundle's rule finds in its golden photos, and in the drawn ones, most of which are refused.

    Raises:
        IntegrityError: The golden set is not the recorded one.
    """
    spec, golden = bundle.manifest.preprocessing, bundle.golden()
    surveyed = {f"golden/{one.photo}": one.input_sha256 for one in golden.index.photos}
    values = [survey_input(tensor) for tensor in golden.tensors]
    inputs = [*zip(surveyed, surveyed.values(), values, strict=True), *_drawn(spec)]
    found = tuple(_finding(bundle.manifest.abstention, *one) for one in inputs)
    return Findings(preprocessing=spec, photos=found)


def section(rule: Abstention | None) -> str:
    """Return the guide's words on the rule, in Markdown."""
    if rule is None:
        return _NO_RULE
    quality = ((QUALITY + bound.code, bound.side, bound.threshold) for bound in rule.quality)
    rows = [*quality, (OUT_OF_DISTRIBUTION, "above", rule.threshold)]
    table = [f"| `{code}` | {side} {bound:.4g} | {' '.join(words_of(code))} |" for code, side, bound in rows]
    return "\n".join([_RULE, "", "| code | refused | words |", "|---|---|---|", *table])


def _finding(rule: Abstention | None, photo: str, input_sha256: str, values: Mapping[str, float | None]) -> Finding:
    found = reasons(rule, values)
    answer: Literal["decision", "cannot_tell"] = "cannot_tell" if found else "decision"
    return Finding(photo=photo, input_sha256=input_sha256, values=dict(values), answer=answer, reasons=found)


@cache
def _drawn(spec: Preprocessing) -> tuple[tuple[str, str, Mapping[str, float | None]], ...]:
    """The drawn photos of ``vectors/``: path, sha256 and values of the input."""
    names = sorted({vector.photo for vector in read_vectors()})
    prepared = {name: prepare((FOLDER / name).read_bytes(), spec) for name in names}
    return tuple((f"vectors/{name}", one.input_sha256, survey_input(one.tensor)) for name, one in prepared.items())
