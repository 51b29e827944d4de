"""The result of a comparison: per photo, in total, and the cause of each difference."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dermport.bundle import causes
from dermport.bundle.notice import NOTICE
from dermport.contract import Contract, Fraction, Sha256
from dermport.mobile_stub.prediction import Side
from dermport.mobile_stub.received import ReceivedFault, ReceivedParts, ReceivedStep
from dermport.statistics.bland_altman import BlandAltman
from dermport.statistics.estimates import Delta, Metric, Quantiles, Share

CAUSES: dict[str, str] = {
    **causes.CAUSES,
    "refused": "Both refuse the photo for the same reason.",
    "error": "Only one side gives an answer, or they refuse for different reasons.",
}
"""What is known here; a server may name causes that are not."""


class PhotoComparison(Contract):
    """One photo; what only two predictions can show is None where a side refused."""

    photo: str
    phone: Side
    server: Side
    cause: str
    change: Annotated[float | None, Field(description="largest |Δp| over the labels")] = None
    same_input: bool | None = None
    same_label: bool | None = None
    same_decision: bool | None = None
    words: Annotated[str, Field(description="the cause, as the server's experiments show it; empty without them")] = ""
    steps: Annotated[tuple[ReceivedStep, ...], Field(description="from the phone's answer to the server's")] = ()
    parts: Annotated[ReceivedParts | None, Field(description="what each factor makes of the score's difference")] = None
    faults: Annotated[tuple[ReceivedFault, ...], Field(description="what exactly was done otherwise")] = ()
    comparison: Annotated[str | None, Field(description="the server's id of it; null where it only predicted")] = None
    round_trip: Annotated[float | None, Field(description="milliseconds from sending to the answer")] = None
    map_change: Annotated[
        float | None,
        Field(description="largest |difference| of a cell of the two class activation maps, in units of the logit"),
    ] = None
    truth: Annotated[str | None, Field(description="the label that the photo shows, where that is known")] = None
    lesion: str | None = None

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
    decision_agreement: Annotated[Share, Field(description="of the photos for which both sides know a decision")]
    flips_to_positive: Annotated[int, Field(description="no on the phone, yes on the Jetson")]
    flips_to_negative: Annotated[int, Field(description="yes on the phone, no on the Jetson")]
    withheld_on_phone: Annotated[int, Field(description="photos of which the phone cannot tell")] = 0
    withheld_on_server: Annotated[int, Field(description="photos of which the Jetson cannot tell")] = 0
    change: Quantiles | None
    map_change: Annotated[Quantiles | None, Field(description="of the photos for which both gave maps")] = None
    causes: dict[str, int]
    causes_of_disagreements: Annotated[
        dict[str, int], Field(description="of photos with another label, decision or input, or one answer only")
    ] = Field(default_factory=dict)
    parts: Annotated[
        dict[str, float],
        Field(description="mean |part| of the score's difference by factor, where the server's experiments told it"),
    ] = Field(default_factory=dict)
    faults: Annotated[dict[str, int], Field(description="photos by what was done otherwise, as tests named it")] = (
        Field(default_factory=dict)
    )


class Latency(Contract):
    """Milliseconds of one side."""

    photos: int
    p50: float
    p90: float
    p99: float


class Latencies(Contract):
    """Where the time went; null where nobody measured it."""

    phone: Annotated[Latency | None, Field(description="preparing and running, on the machine that ran `compare`")]
    server: Annotated[Latency | None, Field(description="preparing, waiting and running, as the server says")]
    round_trip: Annotated[
        Latency | None,
        Field(description="from sending to the answer; with /v1/comparisons the server's experiments are in it"),
    ]


class McNemar(Contract):
    """Two answers to the same photos, and how often only one of them is right."""

    phone_only: int
    server_only: int
    p: Annotated[float, Field(description="exact, two-sided")]


class AgainstTruth(Contract):
    """Both sides against what the photos show, with bootstrap intervals by lesion (keys: :data:`.metrics.TITLES`)."""

    photos: int
    lesions: int
    label: Annotated[McNemar, Field(description="who names the label rightly")]
    decision: Annotated[McNemar | None, Field(description="who decides rightly; null: there is no decision")]
    phone: dict[str, Metric]
    server: dict[str, Metric]
    change: Annotated[dict[str, Delta], Field(description="paired; original: the phone, artifact: the server")]


class AgreementCheck(Contract):
    """Whether phone and Jetson agree as often as the policy asks of their two artifacts."""

    status: Literal["pass", "fail"]
    least: Annotated[float | None, Field(description="least share of equal labels; null: not bounded")]
    policy: str
    classes: Annotated[tuple[str, ...], Field(description="of precision, the phone's and the server's")]
    words: str


class ArtifactSummary(Contract):
    """What the phone ran."""

    name: str
    sha256: Sha256
    bytes: int
    precision: str | None
    runtime: str


class ArtifactComparison(Contract):
    """One artifact's comparison, as ``dermport compare --json`` prints it."""

    schema_version: Annotated[Literal["dermport-comparison/1"], Field(alias="schema")] = "dermport-comparison/1"
    bundle: str
    version: str
    server: str
    decision: Annotated[str | None, Field(description="its name; null: the model knows labels alone")]
    threshold: Fraction | None
    created: Annotated[str, Field(description="UTC, ISO 8601")]
    artifact: ArtifactSummary | None = None
    labels: tuple[str, ...] = ()
    photos: tuple[PhotoComparison, ...]
    totals: Totals
    standing: AgreementCheck | None = None
    matrix: Annotated[
        tuple[tuple[int, ...], ...], Field(description="photos by label: rows the phone's, columns the Jetson's")
    ] = ()
    bland_altman: BlandAltman | None = None
    latency: Latencies | None = None
    truth: AgainstTruth | None = None
    waiting: Annotated[int, Field(description="photos that the server has not answered yet")] = 0
    notice: str = NOTICE

    @property
    def passed(self) -> bool:
        """Whether all is answered, every input equal or refused by both, and agreement within the policy."""
        totals = self.totals
        equal = totals.inputs_equal == totals.predicted and not totals.causes.get("error")
        return equal and not self.waiting and (self.standing is None or self.standing.status == "pass")


class ComparisonDocument(Contract):
    """Several artifacts' comparisons over the same photos, as ``dermport compare --json`` prints them."""

    schema_version: Annotated[Literal["dermport-comparisons/1"], Field(alias="schema")] = "dermport-comparisons/1"
    comparisons: tuple[ArtifactComparison, ...]
    notice: str = NOTICE
