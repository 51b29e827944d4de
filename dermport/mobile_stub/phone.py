"""The phone's own prediction: an exported .tflite, run by LiteRT on photos prepared as everywhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_file
from dermport.bundle.manifest import Manifest
from dermport.bundle.parity import in_bundle_order
from dermport.bundle.photo_quality import survey_input
from dermport.bundle.prep import Prepared
from dermport.bundle.probabilities import answer
from dermport.bundle.store import Bundle, Export
from dermport.bundle.wire import grids_of
from dermport.errors import BundleError, UsageError
from dermport.mobile_stub.prediction import Prediction
from dermport.runtimes.registry import get_runtime

LITERT = get_runtime("litert")
TARGET, PREFERRED = LITERT.target, LITERT.precisions[0]


@dataclass(frozen=True)
class PhoneArtifact:
    """A file that a phone may run.

    Attributes:
        name: How reports call it, e.g. ``tflite-int8``.
        path: The file.
        sha256: Of the file.
        bytes: Its size.
        precision: Its recipe; None for a file that no record of the bundle names.
        policy: The class of bounds by which it is judged; None likewise.
        model_sha256: The model that it was exported from; None likewise.
    """

    name: str
    path: Path
    sha256: str
    bytes: int
    precision: str | None = None
    policy: str | None = None
    model_sha256: str | None = None

    @property
    def words(self) -> str:
        """Target and precision."""
        return f"{TARGET} {self.precision or self.path.name}"


def choose_artifacts(bundle: Bundle, names: Sequence[str]) -> tuple[PhoneArtifact, ...]:
    """Return the artifacts of those names: exports of the bundle (``tflite-int8`` or ``int8``), or .tflite files.

    No name takes fp32, or the first .tflite where that was not exported.

    Raises:
        BundleError: The bundle has no such export.
        IntegrityError: An artifact's bytes are not the recorded ones.
        UsageError: The same one is named twice, or one that no phone of this kind runs.
    """
    found = {export.record.precision: export for export in bundle.exports() if export.record.target == TARGET}
    default = PREFERRED if PREFERRED in found else next(iter(found), PREFERRED)
    chosen = tuple(_artifact(bundle, found, name) for name in names or (default,))
    if len({artifact.sha256 for artifact in chosen}) < len(chosen):
        raise UsageError("One artifact is named twice.", remedy="Name each --artifact once.")
    return chosen


def _artifact(bundle: Bundle, found: dict[str, Export], name: str) -> PhoneArtifact:
    path = Path(name)
    if path.suffix == f".{TARGET}":
        return _file(bundle, found, path)
    precision = name.removeprefix(f"{TARGET}-")
    if precision not in found:
        raise BundleError(
            f"{bundle.path} holds no {TARGET} {precision} export (it holds: {', '.join(found) or 'none'}).",
            remedy=f"dermport export {bundle.path} --to {TARGET} --precision {precision}",
        )
    return _recorded(bundle, found[precision])


def _file(bundle: Bundle, found: dict[str, Export], path: Path) -> PhoneArtifact:
    if not path.is_file():
        raise UsageError(f"{path} does not exist.", remedy="Name a .tflite file, or an export of the bundle.")
    sha256 = sha256_file(path)
    for export in found.values():
        if export.record.artifact_sha256 == sha256:
            return _recorded(bundle, export)
    return PhoneArtifact(path.stem, path, sha256, path.stat().st_size)


def _recorded(bundle: Bundle, export: Export) -> PhoneArtifact:
    record = export.record
    return PhoneArtifact(
        name=export.path.name,
        path=export.checked(),
        sha256=record.artifact_sha256,
        bytes=record.artifact_bytes,
        precision=record.precision,
        policy=record.policy,
        model_sha256=bundle.model_sha256,
    )


class PhoneModel:
    """The model on the phone, for any number of threads. Use it in a ``with`` block.

    Args:
        manifest: The bundle's.
        artifact: What is run.

    Attributes:
        artifact: What is run.
        runtime: LiteRT with its version.

    Raises:
        ExportError: The file cannot be loaded.
        UnavailableError: LiteRT is not installed.
        UsageError: It tells other labels apart than the bundle.
    """

    def __init__(self, manifest: Manifest, artifact: PhoneArtifact) -> None:
        self.artifact = artifact
        self._manifest = manifest
        self._runtime = LITERT.open(artifact.path)
        self._running = threading.Lock()
        self.runtime = self._runtime.name
        if set(self._runtime.labels) != set(manifest.task.ids):
            raise UsageError(
                f"{artifact.path} tells {', '.join(self._runtime.labels)} apart, "
                f"the bundle {', '.join(manifest.task.ids)}.",
                remedy="Name an export of this bundle, or of one of the same task.",
            )

    def __enter__(self) -> PhoneModel:
        self._runtime.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runtime.__exit__(kind, error, trace)

    def predict(self, prepared: Prepared, milliseconds: float, *, maps: bool = False) -> Prediction:
        """Return the phone's prediction of a photo that was prepared in so many milliseconds.

        Args:
            prepared: The model's input.
            milliseconds: What preparing took.
            maps: Whether the class activation map is to come with it, where the artifact gives one.
        """
        with self._running:
            start = time.perf_counter()
            answers, cells = self._run(prepared.tensor, maps)
            infer = 1000 * (time.perf_counter() - start)
        task = self._manifest.task
        probabilities = in_bundle_order(answers, self._runtime.labels, task.ids)[0].clip(0, 1)
        values = survey_input(prepared.tensor) if self._manifest.abstention else None
        said = answer(self._manifest, probabilities, values)
        return Prediction(
            label=said.label,
            probabilities=said.probabilities,
            score=said.score,
            positive=said.positive,
            cannot_tell=said.reasons,
            input_sha256=prepared.input_sha256,
            model_sha256=self.artifact.model_sha256,
            artifact_sha256=self.artifact.sha256,
            artifact=self.artifact.words,
            runtime=self.runtime,
            milliseconds=round(milliseconds + infer, 3),
            activation_map=None if cells is None else grids_of(cells[0], self._runtime.labels),
        )

    def _run(self, tensor: NDArray[np.uint8], maps: bool) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        if maps:
            return self._runtime.predict_with_maps(tensor[None])
        return self._runtime.predict(tensor[None]), None
