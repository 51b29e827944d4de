"""The result of a comparison: per photo, in total, and the cause of each difference."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bundle.agreement import Quantiles, Share
from bundle.causes import CommonCause
from bundle.model import Contract, Fraction
from bundle.notice import NOTICE
from mobile_stub.prediction import Side

Cause = Literal[CommonCause, "refused", "error"]

CAUSES: dict[Cause, str] = {
    "same": "equal inputs, equal probabilities (to 1e-5)",
    "preprocessing": "the photo became different inputs: decoding, orientation or resizing differs",
    "model": "equal inputs, but the two run different models",
    "artifact": "equal inputs and model, but another export of it: precision or conversion",
    "runtime": "equal inputs and the same file: the runtimes differ",
    "refused": "both refuse the photo for the same reason",
    "error": "only one side gives an answer, or they refuse for different reasons",
}


class PhotoComparison(Contract):
    """One photo; what only two predictions can show is None where a side refused."""

    photo: str
    phone: Side
    server: Side
    cause: Cause
    change: Annotated[float | None, Field(description="largest |Δp| over the labels")] = None
    same_input: bool | None = None
    same_label: bool | None = None
    same_decision: bool | None = None

    @property
    def disagrees(self) -> bool:
        """Whether a person should look: another label, decision or input, or an answer from one side only."""
        return self.cause == "error" or False in (self.same_input, self.same_label, self.same_decision)


class Totals(Contract):
    """The comparison in figures."""

    photos: int
    predicted: Annotated[int, Field(description="photos with two predictions; the shares below are of these")]
    inputs_equal: int
    label_agreement: Share
    decision_agreement: Share
    flips_to_positive: Annotated[int, Field(description="no on the phone, yes on the Jetson")]
    flips_to_negative: Annotated[int, Field(description="yes on the phone, no on the Jetson")]
    change: Quantiles | None
    causes: dict[Cause, int]


class Comparison(Contract):
    """The whole document, as ``dermport compare --json`` prints it."""

    schema_version: Annotated[Literal["dermport-comparison/1"], Field(alias="schema")] = "dermport-comparison/1"
    bundle: str
    version: str
    server: str
    decision: str
    threshold: Fraction
    created: Annotated[str, Field(description="UTC, ISO 8601")]
    photos: tuple[PhotoComparison, ...]
    totals: Totals
    notice: str = NOTICE

    @property
    def passed(self) -> bool:
        """Whether every photo became the same input on both sides, or was refused by both for the same reason."""
        totals = self.totals
        return totals.inputs_equal == totals.predicted and not totals.causes.get("error")
