"""The bundle of an imported model: as training writes one where the photos have labels, else what is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dermport.bundle.atomic import atomic_directory
from dermport.bundle.manifest import Manifest, ModelSpec, Preprocessing, TaskSpec
from dermport.bundle.model_origin import ModelOrigin
from dermport.bundle.operators import operators_of
from dermport.bundle.store import Bundle, file_entries, write_manifest
from dermport.errors import DataError
from dermport.importing.photos import ImportPhotos
from dermport.importing.request import ImportRequest
from dermport.progress import Progress
from dermport.training.assemble import MODEL, VERSION, BundleDescription, assemble, saved
from dermport.training.evaluation.files import MODEL_CARD
from dermport.training.evaluation.model_card import render_model_card
from dermport.training.golden import choose_calibration, choose_golden, write_golden_set
from dermport.training.model.network import calibrated_model, predict
from dermport.training.parts import SplitPhotos
from dermport.training.provenance import provenance

if TYPE_CHECKING:
    import keras

_WORDS = {"Model": "imported; weights and layers as they came, the pixels' scaling in front"}


@dataclass(frozen=True)
class ImportedModel:
    """What a bundle is written of.

    Attributes:
        origin: Where it is from.
        architecture: Its name.
        preprocessing: What photos go through before it.
        network: float32 [N, S, S, 3] of 0..255 to logits float32 [N, C], or [N, 1] for two classes.
        task: What it tells apart.
        seconds: That finding out and proving took.
    """

    origin: ModelOrigin
    architecture: str
    preprocessing: Preprocessing
    network: keras.Model
    task: TaskSpec
    seconds: float


def write_labelled(request: ImportRequest, model: ImportedModel, parts: SplitPhotos, progress: Progress) -> Bundle:
    """Fit temperature and threshold, evaluate, and write the bundle, as training does.

    Raises:
        DataError: A part has too few photos.
    """
    _check_parts(request, parts)
    description = BundleDescription(
        out=request.out,
        name=request.name,
        data=request.data or request.model,
        command=request.command,
        seed=request.seed,
        preprocessing=model.preprocessing,
        target_sensitivity=request.target_sensitivity if model.task.positive else None,
        alpha=None,
        weights=None,
        history=(),
        words={
            **_WORDS,
            "Fitted": "temperature" + ", threshold" * bool(model.task.positive) + " on validation photos",
            "Independence": "the original may have been trained on these very photos: its file does not say",
        },
        seconds=model.seconds,
        architecture=model.architecture,
        origin=model.origin,
    )
    return assemble(description, parts, model.network, progress)


def _check_parts(request: ImportRequest, parts: SplitPhotos) -> None:
    task = parts.test.split.dataset.task.spec
    counts = np.bincount(parts.validation.targets, minlength=len(task.ids))
    if not counts.sum() or not len(parts.test.records):
        raise DataError(f"{parts.test.split.dataset.name} has too few photos to fit and evaluate the model with.")
    positive = counts[list(task.positive_indices)].sum()
    if task.positive and not 0 < positive < counts.sum():
        raise DataError(
            f"No threshold can be chosen: {positive} of {counts.sum()} validation photos are positive "
            f"({', '.join(task.positive)}).",
            remedy="Add photos of more lesions, or leave out {positive} and {task}.",
            of=ImportRequest,
        )


def write_unlabelled(request: ImportRequest, model: ImportedModel, photos: ImportPhotos) -> Bundle:
    """Write a bundle of what is known: golden and calibration photos, no temperature, no decision, no figures."""
    with atomic_directory(request.out) as folder:
        few = photos.photos.spread(8).tensors(model.preprocessing)
        kept = saved(calibrated_model(model.network, 1.0), folder / MODEL, few)
        _write_photos(folder, kept, model, photos, request.seed)
        manifest = _manifest(request, model, kept, folder)
        (folder / "evaluation").mkdir()
        card = render_model_card(manifest, None, {**_WORDS, "Photos": _photo_words(photos)})
        (folder / "evaluation" / MODEL_CARD).write_text(card, encoding="utf-8")
        write_manifest(folder, manifest.model_copy(update={"files": file_entries(folder)}))
    return Bundle.open(request.out)


def _manifest(request: ImportRequest, model: ImportedModel, kept: keras.Model, folder: Path) -> Manifest:
    return Manifest(
        name=request.name,
        version=VERSION,
        task=model.task,
        preprocessing=model.preprocessing,
        model=ModelSpec(
            architecture=model.architecture, operators=operators_of(kept), parameters=int(kept.count_params())
        ),
        provenance=provenance(request.command, request.seed, model.seconds),
        origin=model.origin,
        files=file_entries(folder),
    )


def _write_photos(folder: Path, kept: keras.Model, model: ImportedModel, photos: ImportPhotos, seed: int) -> None:
    """Write up to 200 calibration photos, and a golden set of every label that the model gives."""
    chosen = choose_calibration(len(photos.photos), seed)
    tensors = photos.photos.take(chosen).tensors(model.preprocessing)
    (folder / "calibration").mkdir()
    np.save(folder / "calibration" / "tensors.npy", tensors)
    answers = predict(kept, tensors)
    golden = choose_golden(answers.argmax(axis=1), answers, seed)
    shown = photos.photos.take(chosen[golden])
    write_golden_set(folder / "golden", shown, model.task.ids, tensors[golden], answers[golden])


def _photo_words(photos: ImportPhotos) -> str:
    if photos.drawn:
        return "none were given: golden and calibration photos are drawn; int8 needs real ones"
    return f"{len(photos.photos):,} without labels, for golden set, calibration and proof; nothing was evaluated"
