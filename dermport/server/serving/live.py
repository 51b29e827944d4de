"""A model in service: its backend, and the proof that it answers as the original did."""

from __future__ import annotations

from contextlib import AbstractContextManager

from dermport.bundle.hashing import sha256_file
from dermport.bundle.store import MANIFEST, Bundle, Export
from dermport.bundle.wire import ServedModel, ServedRuntime
from dermport.errors import UnavailableError
from dermport.server.config import ServingConfig
from dermport.server.serving.answers import Served
from dermport.server.serving.backend import Load
from dermport.server.serving.jobs import InferenceJob, InferenceResult
from dermport.server.serving.proof import prove
from dermport.server.serving.runtimes import CANDIDATES, BackendSetup, ServingCandidate, choose
from dermport.server.serving.single import Publish, unpublished


class LiveModel:
    """Loads a bundle's best artifact and has it answer the golden set; any number of threads may use it.

    Args:
        bundle: The model.
        serving: How photos are answered.
        candidates: The runtimes to choose from, best first.
        publish: Is told how busy it is.

    Attributes:
        bundle: The model.
        export: Which artifact of it answers.
        model: What every answer says of the model.
        served_by: What every answer says of the runtime.
        served: All that answers name.
        manifest_sha256: Of the bundle's manifest, which tells apart what two processes serve.
        proof: How the golden set was answered.

    Raises:
        BundleError: The bundle, its golden set or the artifact is missing or not what was recorded.
        UnavailableError: Nothing in the bundle can be served on this machine.
    """

    def __init__(
        self,
        bundle: Bundle,
        serving: ServingConfig,
        candidates: tuple[ServingCandidate, ...] = CANDIDATES,
        publish: Publish = unpublished,
    ) -> None:
        golden = bundle.golden()
        self.manifest_sha256 = sha256_file(bundle.path / MANIFEST)
        chosen = choose(BackendSetup(bundle, golden, serving, publish), candidates)
        self._backend = chosen.backend
        self.bundle = bundle
        self.export = chosen.export
        self.model = served_model(bundle, chosen.export)
        self.served_by = ServedRuntime(name=chosen.backend.name, reason=chosen.reason)
        self.proof = prove(chosen.backend.golden, chosen.backend.labels, golden, bundle.manifest, chosen.export.record)
        self.served = Served(bundle.manifest, self.model, self.served_by)

    def check_ready(self) -> None:
        """Raise UnavailableError, naming the photo that differed, where the golden set was answered otherwise."""
        if self.proof.complaint:
            raise UnavailableError(
                f"{self.proof.complaint} This server takes no photos.",
                remedy="Check the bundle with `dermport verify`, then start the server again.",
            )

    def answer(self, job: InferenceJob) -> InferenceResult:
        """Answer a photo as :class:`.server.serving.backend.Backend` does; UnavailableError where nothing is proved."""
        self.check_ready()
        return self._backend.answer(job)

    def turn(self, job: InferenceJob) -> AbstractContextManager[None]:
        """Have a photo's turn for the ``with`` block (see :class:`.server.serving.backend.Backend`)."""
        self.check_ready()
        return self._backend.turn(job)

    def overdue(self) -> float:
        """Return by how many seconds the oldest work in hand is over its time; negative where nothing is."""
        return self._backend.overdue()

    def load(self) -> Load:
        """Return how busy the backend is."""
        return self._backend.load()

    def close(self) -> None:
        """Free the backend; nobody may be waiting for an answer."""
        self._backend.close()


def served_model(bundle: Bundle, export: Export) -> ServedModel:
    """Return how an answer names a model and the export of it that gave it."""
    return ServedModel(
        name=bundle.manifest.name,
        version=bundle.manifest.version,
        sha256=bundle.model_sha256,
        artifact_sha256=export.record.artifact_sha256,
        target=export.record.target,
        precision=export.record.precision,
    )
