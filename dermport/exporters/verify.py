"""Read an artifact back from disk, execute it, and judge it against the original."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.export_record import ExportRecord, MapParity, Parity
from dermport.bundle.manifest import Manifest
from dermport.bundle.parity import Figures, compare, compare_maps, in_bundle_order
from dermport.bundle.photo_set import PhotoSet, golden_photos
from dermport.bundle.policy import Policy
from dermport.bundle.store import Bundle, Export
from dermport.errors import ExportError
from dermport.exporters.contract import Execution
from dermport.exporters.maps import keras_maps
from dermport.exporters.registry import get_target
from dermport.exporters.source import load_model
from dermport.progress import Update
from dermport.runtimes.base import Runtime
from dermport.statistics.bootstrap import Resampled, changes, resampled
from dermport.statistics.estimates import Delta
from dermport.statistics.metrics import Predictions

BATCH = 8  # what a layer gives of more photos leaves a core's cache


@dataclass(frozen=True)
class VerificationReference:
    """The photos that artifacts are compared on, and what the original says of them; threads may share it.

    Attributes:
        photos: With their truth, where it is known.
        probabilities: The original's, float32 [N, C].
        maps: Gives the original's class activation maps, float32 [N, h, w, C]; called where an artifact gives maps.
            None: such an artifact's maps are not compared.
    """

    photos: PhotoSet
    probabilities: NDArray[np.float32]
    maps: Callable[[], NDArray[np.float32]] | None = None
    _figures: list[Resampled] = field(default_factory=list, init=False, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def figures(self, manifest: Manifest) -> Resampled:
        """Return the original's figures, which each artifact's are held against; computed when first asked for."""
        with self._lock:
            if not self._figures:
                self._figures.append(self.scored(self.probabilities, manifest))
            return self._figures[0]

    def scored(self, probabilities: NDArray[np.float32], manifest: Manifest) -> Resampled:
        """Return the figures of probabilities float32 [N, C], in the bundle's order, over the same resamples."""
        positive, threshold = manifest.task.positive_indices, manifest.threshold
        predictions = Predictions(probabilities, self.photos.targets, positive, threshold)
        (scored,) = resampled([predictions], self.photos.groups)
        return scored

    def original_maps(self) -> NDArray[np.float32] | None:
        """Return the original's maps; None where they are not compared."""
        with self._lock:
            return None if self.maps is None else self.maps()


def golden_reference(bundle: Bundle) -> VerificationReference:
    """Return the bundle's golden set as a reference; too small for metrics, so without labels."""
    photos = golden_photos(bundle)
    maps = maps_of(bundle, photos.tensors(bundle.manifest.preprocessing))
    return VerificationReference(photos, bundle.golden().probabilities, maps)


def maps_of(bundle: Bundle, tensors: NDArray[np.uint8]) -> Callable[[], NDArray[np.float32]]:
    """Return what gives the original's maps of photos uint8 [N, S, S, 3]; computed once, when first called."""
    return cache(lambda: keras_maps(load_model(bundle), tensors))


def run(runtime: Runtime, tensors: NDArray[np.uint8], update: Update | None = None) -> NDArray[np.float32]:
    """Return the probabilities float32 [N, C] of all photos, :data:`BATCH` at a time."""
    return run_with_maps(runtime, tensors, update)[0]


def run_with_maps(
    runtime: Runtime, tensors: NDArray[np.uint8], update: Update | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return the probabilities and the class activation maps float32 [N, h, w, C] (None without) of all photos."""
    answers = []
    for start in range(0, len(tensors), BATCH):
        answers.append(runtime.predict_with_maps(np.ascontiguousarray(tensors[start : start + BATCH])))
        if update is not None:
            update(min(start + BATCH, len(tensors)), len(tensors))
    maps = [grid for _, grid in answers if grid is not None]
    return np.concatenate([row for row, _ in answers]), np.concatenate(maps) if maps else None


def verify(
    bundle: Bundle,
    export: Export,
    reference: VerificationReference,
    policy: Policy,
    update: Update | None = None,
    *,
    threads: int | None = None,
) -> Parity:
    """Execute one artifact on the reference and judge it; the caller records the result.

    Args:
        bundle: Whose artifact.
        export: The artifact.
        reference: What it is held against.
        policy: What it is judged by.
        update: Called with (photos answered, in all).
        threads: CPU threads, where the runtime leaves a choice; None is the runtime's own default.

    Raises:
        IntegrityError: The artifact's bytes are not the recorded ones.
        UnavailableError: Nothing on this machine can execute the artifact.
        ExportError: The artifact was made from another model, or gives probabilities of another shape.
    """
    record = export.record
    if record.bundle.model_sha256 != bundle.model_sha256:
        raise ExportError(
            f"{export.path} was made from another model than {bundle.path / 'model.keras'}.",
            remedy="Run `dermport export` on the bundle again.",
        )
    export.checked()
    target = get_target(record.target)
    execution = target.execution(export.path, threads)
    with execution.runtime as runtime:
        figures = _figures(bundle.manifest, runtime, reference, update)
    return _judged(record, execution, figures, reference, policy)


def _figures(manifest: Manifest, runtime: Runtime, reference: VerificationReference, update: Update | None) -> Figures:
    raw, maps = run_with_maps(runtime, reference.photos.tensors(manifest.preprocessing), update)
    if raw.shape != reference.probabilities.shape:
        raise ExportError(f"The artifact answers {raw.shape}, the original {reference.probabilities.shape}.")
    artifact = in_bundle_order(raw, runtime.labels, manifest.task.ids)
    metrics = _metric_changes(manifest, reference, artifact)
    return compare(
        manifest,
        reference.probabilities,
        artifact,
        runtime.labels,
        metrics,
        maps=None if maps is None else _map_parity(reference, in_bundle_order(maps, runtime.labels, manifest.task.ids)),
    )


def _map_parity(reference: VerificationReference, artifact: NDArray[np.float32]) -> MapParity | None:
    original = reference.original_maps()
    if original is None:
        return None
    if artifact.shape != original.shape:
        raise ExportError(f"The artifact gives maps of {artifact.shape}, the original of {original.shape}.")
    return compare_maps(original, artifact, reference.probabilities.argmax(axis=1))


def _metric_changes(
    manifest: Manifest, reference: VerificationReference, artifact: NDArray[np.float32]
) -> Mapping[str, Delta]:
    if reference.photos.truth is None or not np.isfinite(artifact).all():
        return {}
    return changes(reference.figures(manifest), reference.scored(artifact, manifest))


def _judged(
    record: ExportRecord, execution: Execution, figures: Figures, reference: VerificationReference, policy: Policy
) -> Parity:
    status, reasons = policy.judge(record.policy, figures)
    return Parity(
        evidence=execution.evidence,
        evidence_reason=execution.reason,
        data=reference.photos.title,
        photos=figures.photos,
        max_change=figures.max_change,
        mean_change=figures.mean_change,
        top1_agreement=figures.top1_agreement,
        flips_to_positive=figures.flips_to_positive,
        flips_to_negative=figures.flips_to_negative,
        labels_match=figures.labels_match,
        metrics=dict(figures.metrics),
        maps=figures.maps,
        status=status,
        reasons=reasons,
        policy=f"{policy.id} [{record.policy}]",
        runtime=execution.runtime.name,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
