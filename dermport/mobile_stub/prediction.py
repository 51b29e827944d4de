"""What one side, phone or Jetson, says of one photo: a prediction, or why it refuses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dermport.bundle.abstention import Reason
from dermport.bundle.wire import Grid, PredictionAnswer
from dermport.contract import Contract, Fraction, Sha256
from dermport.errors import ServerError
from dermport.mobile_stub.received import ReceivedServerSide


class Prediction(Contract):
    """One side's answer, with everything that can explain a difference."""

    kind: Literal["prediction"] = "prediction"
    label: str
    probabilities: dict[str, Fraction]
    score: Annotated[float | None, Field(description="null: that side's model knows no decision")]
    positive: Annotated[bool | None, Field(description="null: that side cannot tell, or knows no decision")]
    cannot_tell: Annotated[tuple[Reason, ...], Field(description="why; empty where it can")] = ()
    input_sha256: Sha256
    model_sha256: Annotated[Sha256 | None, Field(description="null for a file of unknown origin")]
    artifact_sha256: Sha256
    artifact: Annotated[str, Field(description="target and precision")]
    runtime: str
    milliseconds: Annotated[float | None, Field(description="preparing and running, by that side's own clock")]
    activation_map: Annotated[
        dict[str, Grid] | None, Field(description="by label: rows of cells, where maps were asked for and are given")
    ] = None

    @property
    def withheld(self) -> bool:
        """Whether there is a decision, and that side cannot tell."""
        return self.positive is None and self.score is not None

    @property
    def probability(self) -> float:
        """The probability of `label`."""
        return self.probabilities[self.label]


class Refusal(Contract):
    """Why one side gives no prediction; equal codes are the same reason."""

    kind: Literal["refusal"] = "refusal"
    code: str
    message: str


Side = Annotated[Prediction | Refusal, Field(discriminator="kind")]


def from_answer(answer: PredictionAnswer | ReceivedServerSide) -> Prediction:
    """Return what the Jetson's answer says, in the form that both sides share."""
    decision = answer.decision
    return Prediction(
        label=answer.label,
        probabilities=answer.probabilities,
        score=decision.score if decision else None,
        positive=decision.positive if decision else None,
        cannot_tell=decision.reasons if decision else (),
        input_sha256=answer.input_sha256,
        model_sha256=answer.model.sha256,
        artifact_sha256=answer.model.artifact_sha256,
        artifact=f"{answer.model.target} {answer.model.precision}",
        runtime=answer.runtime.name,
        milliseconds=_milliseconds(answer),
    )


def _milliseconds(answer: PredictionAnswer | ReceivedServerSide) -> float | None:
    """Return preparing, waiting and running; a prediction's total also has receiving, which is the network's time."""
    if isinstance(answer, PredictionAnswer):
        spent = answer.milliseconds
        return round(spent.prepare + spent.wait + spent.infer, 3)
    stages = answer.milliseconds
    return round(sum(stages.get(name, 0.0) for name in ("prepare", "wait", "infer")), 3) if stages else None


def check_labels(phone: Side, server: Prediction) -> None:
    """Raise ServerError where the two know different labels, so that their probabilities cannot be compared."""
    if isinstance(phone, Prediction) and phone.probabilities.keys() != server.probabilities.keys():
        raise ServerError(
            f"The server's labels are {', '.join(server.probabilities)}; the bundle's are "
            f"{', '.join(phone.probabilities)}.",
            remedy="Serve the same bundle, or one of the same task.",
        )
