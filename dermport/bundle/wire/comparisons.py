"""A phone posts its own prediction; the server answers with its own, the verdict, its cause and the evidence."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from dermport.bundle.causes import Cause, FaultCode
from dermport.bundle.notice import NOTICE
from dermport.bundle.wire.base import Message, Milliseconds
from dermport.bundle.wire.prediction import ReceivedPhoto, ServedModel, ServedRuntime, Verdict
from dermport.contract import Fraction, Sha256
from dermport.statistics.estimates import Quantiles, Share

COMPARISON_FIELD = "comparison"
PREPARED_FIELD = "prepared"


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(timezone.utc)
    except OverflowError as error:
        raise ValueError("out of range") from error


Time = Annotated[AwareDatetime, AfterValidator(_utc)]
# No control characters: PostgreSQL stores no NUL, and a name needs none.
Text = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")]
Pseudonym = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
ComparisonId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
# A softmax in float32 or float16 passes its bounds by a rounding; what is kept does not.
_ROUNDING = 1e-6
Probability = Annotated[
    float, Field(ge=-_ROUNDING, le=1 + _ROUNDING), AfterValidator(lambda value: min(1.0, max(0.0, value)))
]
Change = Annotated[float, Field(ge=0, le=1, description="largest |Δp| over the labels")]
Probabilities = Annotated[dict[Text, Fraction], Field(description="by label id")]
ExperimentName = Literal["live-model-on-phone-input", "phone-artifact-on-phone-input", "phone-artifact-on-server-input"]


class PhoneDevice(Message):
    """The device, under a pseudonym that the app has drawn and can draw again."""

    id: Pseudonym
    model: Text | None = None


class ComparisonRequest(Message):
    """What a phone says of its own prediction; what it leaves out is evidence that will be missing."""

    probabilities: Annotated[
        dict[Text, Probability], Field(min_length=2, max_length=1000, description="by label id; they sum to 1")
    ]
    input_sha256: Annotated[Sha256, Field(description="of the tensor that the phone's model was given")]
    photo_sha256: Annotated[Sha256 | None, Field(description="of the photo's bytes, before anything was done")] = None
    artifact_sha256: Annotated[Sha256, Field(description="of the file that the phone ran")]
    model_sha256: Annotated[Sha256 | None, Field(description="of the model.keras that it was exported from")] = None
    target: Text | None = None
    precision: Text | None = None
    runtime: Text
    cannot_tell: Annotated[
        bool | None, Field(description="whether the phone withheld its decision by the bundle's rule; null: unsaid")
    ] = None
    device: PhoneDevice | None = None
    app_version: Text
    taken: Annotated[Time | None, Field(description="when the photo was taken")] = None
    asked: Annotated[Time | None, Field(description="when the phone's model was asked")] = None
    client_id: Annotated[Pseudonym | None, Field(description="the phone's own name of this comparison")] = None


class PhoneSide(Message):
    """The phone's answer under the decision rule of the phone's model, or of the live one where that is not known."""

    label: str
    decision: Annotated[Verdict | None, Field(description="null: that model knows labels alone")] = None
    known: Annotated[ServedModel | None, Field(description="the phone's file, where a bundle here has it")] = None
    said: ComparisonRequest


class ServerSide(Message):
    """The server's own answer."""

    label: str
    probabilities: Probabilities
    decision: Annotated[Verdict | None, Field(description="null: the model knows labels alone")] = None
    model: ServedModel
    runtime: ServedRuntime
    preprocessing: str
    input_sha256: Sha256
    photo: ReceivedPhoto
    milliseconds: Annotated[dict[str, Milliseconds], Field(description="by stage: wait, prepare, infer")] = Field(
        default_factory=dict
    )


class Experiment(Message):
    """Something that the server ran to find the cause."""

    name: ExperimentName
    artifact_sha256: Sha256
    artifact: Annotated[str, Field(description="target and precision")]
    runtime: str
    input_sha256: Sha256
    probabilities: Probabilities
    change_from_phone: Change
    change_from_server: Change


class Parts(Message):
    """What each factor makes of one difference; what is null could not be told apart and is in `unresolved`.

    Four answers of the server: its own engine and the phone's artifact, each on its own tensor and on the phone's. The
    effects of the two factors are averaged over both orders (Shapley values of two factors), and the runtime is what
    remains: the phone's own answer minus that of its artifact on its tensor here. The parts add up to `change`.
    """

    change: Annotated[float, Field(description="the phone's probability minus the server's")]
    preprocessing: Annotated[float | None, Field(description="of the phone's tensor instead of the server's")]
    artifact: Annotated[float | None, Field(description="of the phone's file: precision, conversion or model")]
    runtime: Annotated[float | None, Field(description="of the phone's runtime and hardware: the delegate")]
    interaction: Annotated[
        float | None,
        Field(
            description="by how much more the tensor changes on the phone's artifact than on the server's; half of it "
            "is in `preprocessing`, half in `artifact`; null where only one of the two was tried"
        ),
    ]
    unresolved: Annotated[float, Field(description="what missing evidence left to no single factor")] = 0.0


class Decomposition(Message):
    """How much of the difference comes from preprocessing, artifact and runtime, by experiment."""

    label: Annotated[Text, Field(description="the label whose probability differs the most")]
    by_label: Annotated[dict[Text, Parts], Field(description="by label id")]
    score: Annotated[Parts, Field(description="of the score that the live model's decision compares, summed up")]
    complete: Annotated[bool, Field(description="whether all experiments were to be had, so that nothing is null")]


class InputDifference(Message):
    """How far the phone's tensor and the server's are apart, in levels of 0..255."""

    max_level: Annotated[int, Field(ge=0, le=255, description="largest difference of a channel of a pixel")]
    mean_level: Annotated[float, Field(ge=0, le=255, description="mean over all channels of all pixels")]
    pixels: Annotated[Fraction, Field(description="share of the pixels that differ in some channel")]


class Fault(Message):
    """What was done otherwise, named by a test: the server makes the mistake itself and looks whether that is it."""

    code: FaultCode
    cause: Annotated[Cause, Field(description="the cause that it is the finer name of")]
    exact: Annotated[bool, Field(description="the mistake gives the phone's tensor or numbers; false: comes near them")]
    left: Annotated[InputDifference | None, Field(description="what it leaves unexplained of the tensor")] = None
    change: Annotated[float | None, Field(description="largest |Δp| that it leaves to the phone's answer")] = None
    words: str
    remedy: Annotated[str, Field(description="for whoever develops the phone's app")]


class Step(Message):
    """What one factor changed: the largest |part| over the labels."""

    cause: Cause
    change: Change
    share: Annotated[Fraction, Field(description="of the sum of all steps' changes")]
    also: Annotated[tuple[Cause, ...], Field(description="what the experiments could not tell from it")] = ()
    within_policy: Annotated[
        bool | None,
        Field(description="whether two sound exports of these precisions may differ so; null: not bounded, not asked"),
    ] = None


class ComparisonVerdict(Message):
    """Whether the two agree, and if not, why."""

    same_label: bool
    same_decision: Annotated[bool | None, Field(description="null: a side knows no decision")]
    same_input: bool
    change: Change
    cause: Cause
    words: str


class ComparisonAnswer(Message):
    """The answer to ``POST /v1/comparisons``, and how a comparison is stored."""

    id: ComparisonId
    created: Time
    verdict: ComparisonVerdict
    steps: tuple[Step, ...]
    evidence: tuple[Experiment, ...]
    decomposition: Annotated[Decomposition | None, Field(description="null where the answers are equal")] = None
    faults: Annotated[tuple[Fault, ...], Field(description="what exactly was done otherwise, the first one first")] = ()
    input_difference: Annotated[
        InputDifference | None, Field(description="null where the tensors are equal, or the phone's is not known")
    ] = None
    difference_png: Annotated[
        str | None,
        Field(
            description="base64 of a PNG: the phone's tensor, the server's, their amplified |difference|; only in the "
            "answer to ?difference=true, never stored"
        ),
    ] = None
    missing: Annotated[tuple[str, ...], Field(description="evidence that was not to be had, and why")]
    phone: PhoneSide
    server: ServerSide
    photo_kept: bool
    notice: str = NOTICE
    request_id: str


class ComparisonList(Message):
    """The answer to ``GET /v1/comparisons``, newest first."""

    items: tuple[ComparisonAnswer, ...]
    next: Annotated[str | None, Field(description="cursor of the next page; null on the last")] = None
    notice: str = NOTICE


class AgreementFigures(Message):
    """How phones and server agree over some comparisons."""

    comparisons: int
    label_agreement: Share
    decision_agreement: Annotated[Share, Field(description="of the comparisons in which both sides know a decision")]
    flips_to_positive: Annotated[int, Field(description="no on the phone, yes on the server")]
    flips_to_negative: Annotated[int, Field(description="yes on the phone, no on the server")]
    mean_change: float | None
    max_change: float | None


class AgreementGroup(AgreementFigures):
    """The same for one class, device, artifact or day."""

    key: str


class ChangeBin(Message):
    """How many comparisons have a largest |Δp| of at least `low` and below `high`; the last bin includes 1."""

    low: Fraction
    high: Fraction
    comparisons: int


class ComparisonSummary(Message):
    """The answer to ``GET /v1/comparisons/summary``; of long groupings, the largest groups (of days, the latest)."""

    total: AgreementFigures
    change: Quantiles | None
    changes: Annotated[
        tuple[ChangeBin, ...], Field(description="half a decade each, from 1e-6; the first begins at 0")
    ] = ()
    causes: dict[Cause, int]
    classes: Annotated[tuple[AgreementGroup, ...], Field(description="by the server's label")]
    devices: Annotated[tuple[AgreementGroup, ...], Field(description="by pseudonym")]
    device_models: tuple[AgreementGroup, ...]
    artifacts: Annotated[tuple[AgreementGroup, ...], Field(description="by sha256 of what the phones ran")]
    days: Annotated[tuple[AgreementGroup, ...], Field(description="by UTC date")]
    notice: str = NOTICE


class DriftState(Message):
    """How the latest comparisons of a file that phones run stand against the policy."""

    artifact_sha256: Sha256
    agreement: Annotated[Share, Field(description="equal labels; photos that changed on the way are left out")]
    devices: Annotated[int, Field(description="API keys that posted them; without keys, pseudonyms")] = 0
    asked: Annotated[Fraction, Field(description="least agreement that the policy asks of the file's precision")]
    alarm: Annotated[str, Field(description="why the agreement is too low, for people; empty where it is not")]


class DriftAnswer(Message):
    """The answer to ``GET /v1/comparisons/drift``."""

    policy: str
    latest: Annotated[int, Field(description="how many of a file's latest comparisons are looked at")]
    least: Annotated[int, Field(description="comparisons below which nothing is said")]
    devices: Annotated[int, Field(description="devices below which nothing is said")] = 1
    files: Annotated[tuple[DriftState, ...], Field(description="those compared last come first")]
    notice: str = NOTICE
