"""A bundle being served: its live runtime, the proof that it is the model, and what it says of itself."""

from __future__ import annotations

from contextlib import ExitStack

from bundle.errors import UnavailableError
from bundle.store import Bundle, Export
from bundle.wire import ExportSummary, ModelsAnswer, ModelSummary, ReadyAnswer, ServedModel, ServedRuntime
from server.config import ServerConfig
from server.predictor import Predictor
from server.proof import prove
from server.runtimes import CANDIDATES, Candidate, choose


class Service:
    """Opens the bundle, loads the runtime and proves it; close it at the end.

    Args:
        config: What to serve.
        candidates: The runtimes to choose from, best first.

    Attributes:
        model: What is served.
        served_by: What serves it, and why.
        predictor: Answers photos.

    Raises:
        BundleError: The bundle, its golden set or the artifact is missing or not what was recorded.
        UnavailableError: Nothing in the bundle can be served on this machine.
    """

    def __init__(self, config: ServerConfig, candidates: tuple[Candidate, ...] = CANDIDATES) -> None:
        self._bundle = Bundle.open(config.bundle)
        golden = self._bundle.golden()
        live = choose(self._bundle, config, candidates)
        with ExitStack() as stack:
            runtime = stack.enter_context(live.runtime)
            self._proof = prove(runtime, golden, self._bundle.manifest, live.export.record)
            self._stack = stack.pop_all()
        self.model = _served_model(self._bundle, live.export)
        self.served_by = ServedRuntime(name=runtime.name, reason=live.reason)
        self.predictor = Predictor(self._bundle.manifest, runtime, self.model, self.served_by)

    def close(self) -> None:
        """Free the runtime."""
        self._stack.close()

    @property
    def complaint(self) -> str:
        """Why the live runtime may not answer anybody, or an empty string."""
        return self._proof.complaint

    def check_ready(self) -> None:
        """Raise UnavailableError, naming the photo that differed, where the live runtime is not proved."""
        if self.complaint:
            raise UnavailableError(
                f"{self.complaint} This server takes no photos.",
                remedy="Check the bundle with `dermport verify`, then start the server again.",
            )

    def ready(self) -> ReadyAnswer:
        """Return the proof; UnavailableError where it failed."""
        self.check_ready()
        proof = self._proof
        return ReadyAnswer(
            photos=proof.figures.photos,
            worst_photo=proof.worst_photo,
            worst_change=proof.figures.max_change,
            mean_change=proof.figures.mean_change,
            runtime=self.served_by,
        )

    def models(self) -> ModelsAnswer:
        """Return what this server has."""
        manifest = self._bundle.manifest
        summary = ModelSummary(
            name=manifest.name,
            version=manifest.version,
            sha256=self._bundle.model_sha256,
            task=manifest.task,
            preprocessing=manifest.preprocessing,
            decision=manifest.decision,
            live=self.model,
            runtime=self.served_by,
            exports=tuple(_summary(export) for export in self._bundle.exports()),
        )
        return ModelsAnswer(models=(summary,))


def _served_model(bundle: Bundle, export: Export) -> ServedModel:
    return ServedModel(
        name=bundle.manifest.name,
        version=bundle.manifest.version,
        sha256=bundle.model_sha256,
        artifact_sha256=export.record.artifact_sha256,
        target=export.record.target,
        precision=export.record.precision,
    )


def _summary(export: Export) -> ExportSummary:
    record = export.record
    return ExportSummary(
        target=record.target,
        precision=record.precision,
        artifact=record.artifact,
        bytes=record.artifact_bytes,
        artifact_sha256=record.artifact_sha256,
        built=record.built,
        parity=record.parity.status if record.parity else None,
    )
