"""What one side, phone or Jetson, says of one photo: a prediction, or why it refuses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bundle.model import Contract, Fraction, Sha256
from bundle.wire import PredictionAnswer


class Prediction(Contract):
    """One side's answer, with everything that can explain a difference."""

    kind: Literal["prediction"] = "prediction"
    label: str
    probabilities: dict[str, Fraction]
    score: float
    positive: bool
    input_sha256: Sha256
    model_sha256: Sha256
    artifact_sha256: Sha256
    artifact: Annotated[str, Field(description="target and precision")]
    runtime: str
    milliseconds: float

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


def from_answer(answer: PredictionAnswer) -> Prediction:
    """Return what the Jetson's answer says, in the form that both sides share."""
    return Prediction(
        label=answer.label,
        probabilities=answer.probabilities,
        score=answer.decision.score,
        positive=answer.decision.positive,
        input_sha256=answer.input_sha256,
        model_sha256=answer.model.sha256,
        artifact_sha256=answer.model.artifact_sha256,
        artifact=f"{answer.model.target} {answer.model.precision}",
        runtime=answer.runtime.name,
        milliseconds=answer.milliseconds.total,
    )
