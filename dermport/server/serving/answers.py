"""From what a backend says to the answer that a client reads."""

from __future__ import annotations

from dataclasses import dataclass

from dermport.bundle.manifest import Manifest
from dermport.bundle.notice import NOTICE
from dermport.bundle.prep import DRAFT_ID
from dermport.bundle.probabilities import Answer, answer
from dermport.bundle.wire import PredictionAnswer, ReceivedPhoto, ServedModel, ServedRuntime, Verdict
from dermport.server.serving.jobs import InferenceJob, InferenceResult
from dermport.server.stages import StageClock


@dataclass(frozen=True)
class Served:
    """What answers, as every answer names it.

    Attributes:
        manifest: The bundle's.
        model: Which model, and which artifact of it.
        runtime: What runs it.
    """

    manifest: Manifest
    model: ServedModel
    runtime: ServedRuntime


def verdict_of(manifest: Manifest, said: Answer) -> Verdict | None:
    """Return the bundle's decision rule, applied; positive is None where the model cannot tell.

    None where the model knows no decision.
    """
    rule = manifest.decision
    if rule is None or said.score is None:
        return None
    return Verdict.of_ours(
        name=rule.name,
        positive=said.positive,
        score=said.score,
        threshold=rule.threshold,
        answer="cannot_tell" if said.reasons else "decision",
        reasons=said.reasons,
    )


def prediction(
    served: Served, job: InferenceJob, done: InferenceResult, clock: StageClock, request_id: str
) -> PredictionAnswer:
    """Return the answer to a photo; `clock` has marked "receive".

    Raises:
        ValueError: The runtime gave what are no probabilities.
    """
    manifest = served.manifest
    if not all(0 <= probability <= 1 for probability in done.probabilities):  # nothing below looks again
        raise ValueError(f"{served.runtime.name} gave no probabilities: {done.probabilities}.")
    said = answer(manifest, done.probabilities, done.values)
    clock.add(done.milliseconds)
    return PredictionAnswer.of_ours(
        label=said.label,
        probabilities=said.probabilities,
        decision=verdict_of(manifest, said),
        model=served.model,
        runtime=served.runtime,
        preprocessing=DRAFT_ID if job.decoding == "draft" else manifest.preprocessing.id,
        input_sha256=done.input_sha256,
        photo=ReceivedPhoto.of_ours(
            width=done.width, height=done.height, orientation=done.orientation, bytes=len(job.data), form=job.form
        ),
        milliseconds=clock.timing(),
        activation_map=None,
        notice=NOTICE,
        request_id=request_id,
    )
