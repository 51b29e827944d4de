"""One photo that a phone and the server have answered, and what hashes and records say of the two."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from dermport.bundle.abstention import Values
from dermport.bundle.hashing import sha256_bytes, sha256_json
from dermport.bundle.manifest import Manifest
from dermport.bundle.photo_quality import survey_input
from dermport.bundle.policy import read_policy
from dermport.bundle.prep import prepare, prepared
from dermport.bundle.probabilities import answer
from dermport.bundle.store import Bundle, Export
from dermport.bundle.wire import ComparisonRequest, PhoneSide, ReceivedPhoto, ServedModel, ServedRuntime, ServerSide
from dermport.errors import RequestError
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.comparing.cause import Facts
from dermport.server.comparing.diagnosis import DiagnosisInputs
from dermport.server.comparing.experiments import Inputs, Missing
from dermport.server.comparing.likeness import Tensor
from dermport.server.serving.answers import verdict_of
from dermport.server.serving.jobs import InferenceJob, InferenceResult
from dermport.server.serving.live import served_model

_NOT_SENT = Missing("the phone's prepared input was not sent, and the photo became another one here")
_NOT_THE_SAME = Missing("the prepared input that was sent is not the one that the phone's input_sha256 names")


class AnsweringModel(Protocol):
    """What is asked of the live model (:class:`dermport.server.serving.live.LiveModel`)."""

    bundle: Bundle
    export: Export
    model: ServedModel
    served_by: ServedRuntime

    def answer(self, job: InferenceJob) -> InferenceResult:
        """Answer a photo."""
        ...

    def turn(self, job: InferenceJob) -> AbstractContextManager[None]:
        """Have a photo's turn for the ``with`` block."""
        ...


class ModelSource(Protocol):
    """What is asked of the models (:class:`dermport.server.serving.models.Models`)."""

    def lease(self) -> AbstractContextManager[AnsweringModel]:
        """Have the live model for the ``with`` block."""
        ...

    def bundles(self) -> Sequence[Bundle]:
        """Return every known model."""
        ...


@dataclass(frozen=True)
class Sent:
    """What a phone sent.

    Attributes:
        said: Its own answer.
        photo: The photo, JPEG or PNG.
        prepared: Its model's input as a PNG; of the two, at least one is there.
        sender: The id of its API key; empty where none is asked for.
    """

    said: ComparisonRequest
    photo: bytes | None
    prepared: bytes | None
    sender: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over everything that was sent."""
        files = [None if data is None else sha256_bytes(data) for data in (self.photo, self.prepared)]
        return sha256_json([self.said.model_dump(mode="json"), *files])

    @property
    def job(self) -> InferenceJob:
        """What the live model is asked."""
        if self.photo is not None:
            return InferenceJob(self.photo)
        return InferenceJob(self.prepared or b"", form="prepared")


class Case:
    """What was sent, and the server's own answer to it.

    Args:
        sent: What the phone sent.
        live: The live model, leased for as long as the case is, whose turn the caller has.
        models: Every known model.
        runner: Knows phones' files.

    Attributes:
        said: The phone's answer.
        done: The server's.
        live: The live model.
        known: The phone's file, where a bundle here has it.
        model: The bundle of the phone's model, where it is known.

    Raises:
        PhotoError: What was sent is refused.
        RequestError: 422 where phone and live model do not tell the same labels apart; 503 "overloaded".
    """

    def __init__(
        self,
        sent: Sent,
        live: AnsweringModel,
        models: Sequence[Bundle],
        runner: ArtifactRunner,
    ) -> None:
        self.said, self.live = sent.said, live
        self._sent = sent
        _check_labels(live.bundle.manifest, sent.said)
        self.known = runner.find(sent.said.artifact_sha256)
        named = next((bundle for bundle in models if bundle.model_sha256 == sent.said.model_sha256), None)
        self.model = self.known.bundle if self.known else named
        self._manifest = self._phones_manifest()
        self.done = live.answer(sent.job)

    @cached_property
    def tensor(self) -> Tensor:
        """The photo as the server prepares it for the phone's model, uint8 [S, S, 3]."""
        if self._is_alike:
            return self.done.tensor
        if self._sent.photo is not None:
            return prepare(self._sent.photo, self._manifest.preprocessing).tensor
        return prepared(self._sent.prepared or b"", self._manifest.preprocessing).tensor

    @property
    def _is_alike(self) -> bool:
        """Whether the phone's model wants photos prepared as the live one does."""
        return self._manifest.preprocessing == self.live.bundle.manifest.preprocessing

    @cached_property
    def inputs(self) -> Inputs:
        """Both inputs.

        Raises:
            PhotoError: The prepared photo is none.
        """
        alike = self._is_alike
        mine = self.done.input_sha256 if alike else sha256_bytes(self.tensor.tobytes())
        tensor = self._named_tensor()
        if isinstance(tensor, Missing) and mine == self.said.input_sha256:
            return Inputs(mine, mine, lambda: self.tensor, lambda: self.tensor, alike)
        known = tensor if isinstance(tensor, Missing) else lambda: tensor
        return Inputs(self.said.input_sha256, mine, known, lambda: self.tensor, alike)

    @cached_property
    def facts(self) -> Facts:
        """What hashes and records say."""
        model = self.known.bundle.model_sha256 if self.known else self.said.model_sha256
        return Facts(
            photo_changed=self._photo_changed(),
            same_model=None if model is None else model == self.live.model.sha256,
            allowed=self._allowed_change(),
            inputs_differ=self.inputs.differ,
            files_differ=self.said.artifact_sha256 != self.live.model.artifact_sha256,
        )

    def diagnosis_inputs(self, came_before: bool) -> DiagnosisInputs:
        """Return what is known of the two tensors.

        Args:
            came_before: Whether the phone's tensor is that of a photo that came before.

        Raises:
            PhotoError: The prepared photo is none.
        """
        return DiagnosisInputs(
            input_sha256=self.said.input_sha256,
            server=self.tensor,
            sent=self._sent_tensor,
            photo=self._sent.photo,
            spec=self._manifest.preprocessing,
            photo_changed=self.facts.photo_changed,
            came_before=came_before,
        )

    def phone_side(self) -> PhoneSide:
        """Return the phone's answer under the decision rule of its model, or of the live one where that is unknown."""
        manifest = self._manifest
        probabilities = np.asarray([self.said.probabilities[label] for label in manifest.task.ids])
        withheld = bool(self.said.cannot_tell)
        said = answer(manifest, probabilities, self._phone_values() if withheld else None)
        decision = verdict_of(manifest, said)
        if withheld and decision:  # its word counts, also where its input is not known here
            decision = decision.model_copy(update={"positive": None, "answer": "cannot_tell"})
        known = served_model(self.known.bundle, self.known.export) if self.known else None
        return PhoneSide(label=said.label, decision=decision, known=known, said=self.said)

    def server_side(self) -> ServerSide:
        """Return the server's answer."""
        manifest, done, job = self.live.bundle.manifest, self.done, self._sent.job
        said = answer(manifest, np.asarray(done.probabilities), done.values)
        return ServerSide(
            label=said.label,
            probabilities=said.probabilities,
            decision=verdict_of(manifest, said),
            model=self.live.model,
            runtime=self.live.served_by,
            preprocessing=manifest.preprocessing.id,
            input_sha256=done.input_sha256,
            photo=ReceivedPhoto(
                width=done.width, height=done.height, orientation=done.orientation, bytes=len(job.data), form=job.form
            ),
            milliseconds={stage: round(spent, 3) for stage, spent in done.milliseconds.items()},
        )

    def _phone_values(self) -> Values | None:
        """Return what the phone's input looks like, where it is known."""
        tensor = self.inputs.phone_tensor
        return survey_input(tensor()) if callable(tensor) else None

    def _phones_manifest(self) -> Manifest:
        """Return the manifest of the phone's model, or the live one's where that is not known."""
        live = self.live.bundle
        found = (self.model or live).manifest
        return found if set(found.task.ids) == set(self.said.probabilities) else live.manifest

    @cached_property
    def _sent_tensor(self) -> Tensor | None:
        if self._sent.prepared is None:
            return None
        return prepared(self._sent.prepared, self._manifest.preprocessing).tensor

    def _named_tensor(self) -> Tensor | Missing:
        tensor = self._sent_tensor
        if tensor is None:
            return _NOT_SENT
        return tensor if sha256_bytes(tensor.tobytes()) == self.said.input_sha256 else _NOT_THE_SAME

    def _photo_changed(self) -> bool | None:
        if self._sent.photo is None:  # then the prepared photo is the photo
            return self.done.input_sha256 != self.said.input_sha256
        if self.said.photo_sha256 is None:
            return None
        return sha256_bytes(self._sent.photo) != self.said.photo_sha256

    def _allowed_change(self) -> float | None:
        """Return how far two sound exports may be apart: each may be so far from the original."""
        if self.known is None:
            return None
        rules = read_policy().rules
        records = (self.known.export.record, self.live.export.record)
        bounds = [rules[record.policy].fail.max_change for record in records if record.policy in rules]
        known = [bound for bound in bounds if bound is not None]
        return sum(known) if len(known) == len(records) else None


def _check_labels(manifest: Manifest, said: ComparisonRequest) -> None:
    ids = manifest.task.ids
    if set(ids) != set(said.probabilities):
        raise RequestError(
            f"The server's labels are {', '.join(ids)}; the phone sent others, so nothing can be compared.",
            code="other-labels",
            status=422,
            remedy="Compare with a server whose live model tells the same labels apart; GET /v1/models lists them.",
        )
