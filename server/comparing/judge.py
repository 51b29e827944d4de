"""The verdict on one photo: do phone and server agree, and if not, which experiment shows why."""

from __future__ import annotations

from dataclasses import dataclass

from bundle.causes import SAME, largest_change
from bundle.wire import ComparisonVerdict, Experiment, PhoneSide, ServerSide, Step
from server.comparing.artifacts import ArtifactRunner
from server.comparing.case import Case
from server.comparing.cause import cause_of, steps_between, words_of
from server.comparing.experiments import Evidence, Laboratory, Run, Tensor, gather
from server.serving.jobs import Done, Job

_NO_PHOTO_HASH = "without photo_sha256, a photo changed on the way and one prepared otherwise look alike"
_NO_MODEL = "neither artifact_sha256 nor model_sha256 tells this server which model the phone runs"


@dataclass(frozen=True)
class Judgement:
    """A comparison before it has an id.

    Attributes:
        phone: The phone's side.
        server: The server's side.
        verdict: Whether they agree, and why not.
        steps: What each difference changed.
        experiments: What was run.
        missing: Evidence that was not to be had.
    """

    phone: PhoneSide
    server: ServerSide
    verdict: ComparisonVerdict
    steps: tuple[Step, ...]
    experiments: tuple[Experiment, ...]
    missing: tuple[str, ...]


def judge(case: Case, runner: ArtifactRunner) -> Judgement:
    """Judge a case; where the answers differ, run what shows the cause.

    Raises:
        PhotoError: The prepared photo is none.
        RequestError: 503 "overloaded": the live model has no time for an experiment.
    """
    phone, server = case.phone_side(), case.server_side()
    change = largest_change(case.said.probabilities, server.probabilities)
    same_input = case.inputs.phone == case.inputs.server
    evidence = _evidence(case, runner) if change > SAME else Evidence((), (), ())
    steps = steps_between(evidence.stations, case.facts)
    cause = cause_of(change, same_input, steps, case.facts)
    missing = evidence.missing + _unstated(case, change, same_input)
    verdict = ComparisonVerdict(
        same_label=phone.label == server.label,
        same_decision=phone.decision.positive == server.decision.positive,
        same_input=same_input,
        change=change,
        cause=cause,
        words=words_of(cause, change, steps, missing),
    )
    return Judgement(phone, server, verdict, steps, evidence.experiments, missing)


def _evidence(case: Case, runner: ArtifactRunner) -> Evidence:
    def live(tensor: Tensor) -> Run:
        return _run_of(case, case.live.answer(Job(tensor.tobytes(), form="tensor")))

    laboratory = Laboratory(live, lambda tensor: runner.run(case.said.artifact_sha256, tensor))
    return gather(case.said, _run_of(case, case.done), case.inputs, laboratory)


def _run_of(case: Case, done: Done) -> Run:
    model = case.live.model
    by_label = dict(zip(case.live.bundle.manifest.task.ids, done.probabilities, strict=True))
    return Run(model.artifact_sha256, f"{model.target} {model.precision}", case.live.served_by.name, by_label)


def _unstated(case: Case, change: float, same_input: bool) -> tuple[str, ...]:
    """Return what the phone left unsaid and would have helped."""
    words = []
    if not same_input and case.facts.photo_changed is None:
        words.append(_NO_PHOTO_HASH)
    if change > SAME and case.facts.same_model is None:
        words.append(_NO_MODEL)
    return tuple(words)
