"""The verdict on one photo: do phone and server agree, and if not, which experiment shows why."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

from dermport.bundle.abstention import NEAR
from dermport.bundle.causes import SAME, largest_change
from dermport.bundle.wire import (
    ComparisonVerdict,
    Decomposition,
    Experiment,
    Fault,
    InputDifference,
    PhoneSide,
    ServerSide,
    Step,
    Verdict,
)
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.comparing.case import Case
from dermport.server.comparing.cause import Facts, cause_of, steps_of, words_of
from dermport.server.comparing.decomposition import decompose
from dermport.server.comparing.diagnosis import Diagnosis, diagnose
from dermport.server.comparing.experiments import ArtifactRun, Evidence, Inputs, Laboratory, gather
from dermport.server.comparing.file_faults import PhonesFile, unknown_file, version_fault
from dermport.server.comparing.likeness import Tensor, difference
from dermport.server.comparing.runtime_faults import runtime_fault
from dermport.server.serving.jobs import InferenceJob, InferenceResult

_NO_PHOTO_HASH = "without photo_sha256, a photo changed on the way and one prepared otherwise look alike"
_NO_MODEL = "neither artifact_sha256 nor model_sha256 tells this server which model the phone runs"


@dataclass(frozen=True)
class Judgement:
    """A comparison before it has an id.

    Attributes:
        phone: The phone's side.
        server: The server's side.
        verdict: Whether they agree, and why not.
        steps: What each factor changed.
        experiments: What was run.
        missing: Evidence that was not to be had.
        decomposition: How much each factor makes of each difference; None where the answers are equal.
        faults: What exactly was done otherwise.
        input_difference: How far the two tensors are apart; None where they are equal, or the phone's is not known.
        tensor: The phone's tensor, where it is known and not the server's.
    """

    phone: PhoneSide
    server: ServerSide
    verdict: ComparisonVerdict
    steps: tuple[Step, ...]
    experiments: tuple[Experiment, ...]
    missing: tuple[str, ...]
    decomposition: Decomposition | None
    faults: tuple[Fault, ...]
    input_difference: InputDifference | None
    tensor: Tensor | None


def judge(case: Case, runner: ArtifactRunner, came_before: Container[str] = ()) -> Judgement:
    """Judge a case; where the answers differ, run what shows the cause.

    Args:
        case: What was sent, and the server's answer.
        runner: Runs phones' files.
        came_before: The input_sha256 of photos that came before.

    Raises:
        PhotoError: The prepared photo is none.
        RequestError: 503 "overloaded": the live model has no time for an experiment.
    """
    return _CaseJudge(case, runner, came_before).judgement()


class _CaseJudge:
    """One case under judgement."""

    def __init__(self, case: Case, runner: ArtifactRunner, came_before: Container[str]) -> None:
        self._case, self._runner = case, runner
        self._phone, self._server = case.phone_side(), case.server_side()
        self._change = largest_change(case.said.probabilities, self._server.probabilities)
        self._found = self._findings(case.said.input_sha256 in came_before)
        self._inputs = _with_found(case.inputs, self._found.tensor)
        self._file = self._phones_file()
        self._facts = replace(
            case.facts, photo_changed=_photo_changed(case.facts, self._found.faults), damaged=self._file.damaged
        )

    def judgement(self) -> Judgement:
        evidence = self._evidence() if self._change > SAME else None
        found = decompose(evidence.cells, self._case.live.bundle.manifest.task.positive) if evidence else None
        steps = steps_of(found, self._facts) if found else ()
        faults = tuple(self._faults(evidence))
        missing = (*(evidence.missing if evidence else ()), *self._unstated())
        cause = cause_of(self._change, steps, self._facts)
        tensor = self._found.tensor
        withheld = withheld_words(self._phone.decision, self._server.decision)
        return Judgement(
            phone=self._phone,
            server=self._server,
            verdict=ComparisonVerdict(
                same_label=self._phone.label == self._server.label,
                same_decision=_same_decision(self._phone.decision, self._server.decision),
                same_input=not self._inputs.differ,
                change=self._change,
                cause=cause,
                words=" ".join(filter(None, (withheld, words_of(cause, steps, found, faults, missing)))),
            ),
            steps=steps,
            experiments=evidence.experiments if evidence else (),
            missing=missing,
            decomposition=found,
            faults=faults,
            input_difference=None if tensor is None else difference(tensor, self._case.tensor),
            tensor=tensor,
        )

    def _findings(self, came_before: bool) -> Diagnosis:
        """Return what the phone did with the photo; only asked where the two tensors differ."""
        if not self._case.inputs.differ:
            return Diagnosis((), None)
        return diagnose(self._case.diagnosis_inputs(came_before))

    def _phones_file(self) -> PhonesFile:
        said = self._case.said
        if self._case.known is not None or self._change <= SAME:
            return PhonesFile(lambda tensor: self._runner.run(said.artifact_sha256, tensor))
        tensor = self._inputs.phone_tensor
        return unknown_file(said, self._case.model, tensor() if callable(tensor) else None, self._runner)

    def _evidence(self) -> Evidence:
        def live(tensor: Tensor) -> ArtifactRun:
            return _run_of(self._case, self._case.live.answer(InferenceJob(tensor.tobytes(), form="tensor")))

        laboratory = Laboratory(live, self._file.run)
        return gather(self._case.said, _run_of(self._case, self._case.done), self._inputs, laboratory)

    def _faults(self, evidence: Evidence | None) -> Iterator[Fault]:
        yield from self._found.faults
        case = self._case
        if case.facts.same_model is False and case.model is not None:
            yield version_fault(case.model.manifest, case.live.bundle.manifest)
        yield from self._file.faults
        tensor = self._inputs.phone_tensor
        if evidence is None or evidence.cells.phone_phone is None or case.known is None or not callable(tensor):
            return
        own = evidence.cells.phone_phone
        if named := runtime_fault(case.said.probabilities, own, tensor(), case.known, self._runner):
            yield named

    def _unstated(self) -> tuple[str, ...]:
        """Return what the phone left unsaid and would have helped."""
        words = []
        if self._inputs.differ and self._facts.photo_changed is None:
            words.append(_NO_PHOTO_HASH)
        if self._change > SAME and self._facts.same_model is None:
            words.append(_NO_MODEL)
        return tuple(words)


def _with_found(inputs: Inputs, tensor: Tensor | None) -> Inputs:
    return inputs if tensor is None else replace(inputs, phone_tensor=lambda: tensor)


def _photo_changed(facts: Facts, faults: tuple[Fault, ...]) -> bool | None:
    """Return whether another photo arrived, by its hash and by what the tensors show.

    A mistake that gives the phone's very tensor of the photo that arrived shows that only its bytes changed, not its
    picture. One that only comes near it shows that where no hash says otherwise.
    """
    if any(fault.cause == "photo-changed" for fault in faults):
        return True
    shown = any(fault.cause == "preprocessing" and (fault.exact or not facts.photo_changed) for fault in faults)
    return False if shown else facts.photo_changed


def _run_of(case: Case, done: InferenceResult) -> ArtifactRun:
    model = case.live.model
    by_label = dict(zip(case.live.bundle.manifest.task.ids, done.probabilities, strict=True))
    return ArtifactRun(model.artifact_sha256, f"{model.target} {model.precision}", case.live.served_by.name, by_label)


def _same_decision(phone: Verdict | None, server: Verdict | None) -> bool | None:
    return phone.positive == server.positive if phone and server else None


def withheld_words(phone: Verdict | None, server: Verdict | None) -> str:
    """Return in words that one side alone cannot tell, and why; empty where both or neither can."""
    if phone is None or server is None or (phone.answer == "cannot_tell") == (server.answer == "cannot_tell"):
        return ""
    who, withheld = ("phone", phone) if phone.answer == "cannot_tell" else ("server", server)
    if not withheld.reasons:
        return f"Only the {who} cannot tell; what its model saw is not known here."
    found = ", ".join(f"{one.code} ({one.value:.3g}, bound {one.bound:.3g})" for one in withheld.reasons)
    near = all(one.near for one in withheld.reasons)
    words = f" All of it lies within {NEAR:.0%} of its bound: small differences of the inputs decide there."
    return f"Only the {who} cannot tell: {found}.{words if near else ''}"
