"""From a trained network to a bundle on disk, whole or absent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.atomic import atomic_directory
from dermport.bundle.manifest import (
    Abstention,
    Calibration,
    Compression,
    DatasetSpec,
    Decision,
    Manifest,
    ModelSpec,
    Preprocessing,
    SplitSpec,
)
from dermport.bundle.model_origin import ModelOrigin
from dermport.bundle.operators import operators_of
from dermport.bundle.store import Bundle, file_entries, write_manifest
from dermport.errors import BundleError
from dermport.figures.training import draw_training
from dermport.progress import Progress
from dermport.statistics.metrics import scores
from dermport.statistics.subgroups import grouped
from dermport.statistics.temperature import fit_temperature
from dermport.statistics.threshold import choose_threshold
from dermport.training.data.splits import write_split
from dermport.training.evaluation.abstention import fit_abstention, survey_inputs, with_shares
from dermport.training.evaluation.evaluation import Evaluation, evaluate
from dermport.training.evaluation.files import write_evaluation
from dermport.training.evaluation.model_card import read_licence, render_model_card
from dermport.training.evaluation.threshold import TuningSet
from dermport.training.fit import FitResult
from dermport.training.golden import choose_calibration, choose_golden, write_golden_set
from dermport.training.model.network import calibrated_model, class_logits, predict
from dermport.training.parts import PartPhotos, SplitPhotos
from dermport.training.phases.state import EpochFigures, best_of, kept_epochs, write_history
from dermport.training.provenance import provenance
from dermport.training.request import TrainingRequest
from dermport.training.runs.log import TENSORBOARD, write_events

if TYPE_CHECKING:
    import keras

VERSION = "1.0.0"
MODEL, SPLIT = "model.keras", "split.csv"


@dataclass(frozen=True)
class BundleDescription:
    """What a bundle says of itself that its photos and its network do not tell.

    Attributes:
        out: Its folder; must not exist.
        name: Its name.
        data: Where the photos came from; its licence is told in the model card.
        command: What a person typed.
        seed: Of everything random, also of the draw of golden and calibration photos.
        preprocessing: What the photos go through.
        target_sensitivity: What the decision's threshold is chosen for, on validation photos; None: it knows none.
        alpha: Width multiplier of the network, where its architecture knows one.
        weights: What the trunk started from; None where that is not known.
        history: Every epoch of every phase.
        words: What was done, for the model card's table.
        seconds: That it took.
        compression: How it was made from another bundle; None where it was trained.
        answer_rate: The share of the validation photos that is answered; None answers every photo.
        lesion_pattern: How a file's name told its lesion, for a folder per class.
        architecture: The network's name.
        origin: Of the imported model that it comes from.
    """

    out: Path
    name: str
    data: Path
    command: str
    seed: int
    preprocessing: Preprocessing
    target_sensitivity: float | None
    alpha: float | None
    weights: str | None
    history: tuple[EpochFigures, ...]
    words: dict[str, object]
    seconds: float
    compression: Compression | None = None
    answer_rate: float | None = None
    lesion_pattern: str | None = None
    architecture: str = "MobileNetV2"
    origin: ModelOrigin | None = None


@dataclass(frozen=True)
class Calibrated:
    """The saved model, read back, with what was chosen for it on the validation photos."""

    model: keras.Model
    temperature: float
    decision: Decision | None
    tuning: TuningSet | None


@dataclass(frozen=True)
class Scored:
    """What a calibrated model answers to the test photos, float32 [N, C], and how good that is."""

    answers: NDArray[np.float32]
    evaluation: Evaluation


def describe(request: TrainingRequest, trained: FitResult) -> BundleDescription:
    """Return what the bundle of a training says of itself."""
    recipe = request.recipe
    return BundleDescription(
        out=request.out,
        name=request.name,
        data=request.data,
        command=request.command,
        seed=recipe.seed,
        preprocessing=recipe.preprocessing,
        target_sensitivity=request.target_sensitivity,
        alpha=recipe.alpha,
        weights=recipe.weights_description,
        history=trained.history,
        words=training_in_words(request, trained),
        seconds=trained.seconds,
        answer_rate=request.answer_rate,
        lesion_pattern=request.lesion_pattern,
    )


def assemble(description: BundleDescription, parts: SplitPhotos, network: keras.Model, progress: Progress) -> Bundle:
    """Calibrate and score a network, and write everything that a bundle holds.

    Args:
        description: What the bundle says of itself.
        parts: The photos.
        network: Images to logits; float32 [N, S, S, 3] of 0..255 to [N, C], or [N, 1] for two classes.
        progress: What a person sees.

    Raises:
        BundleError: The saved model, read back, does not answer as the one in memory.
    """
    with atomic_directory(description.out) as folder:
        with progress.bar("Calibrating"):
            calibrated = calibrate(network, parts.validation, description.target_sensitivity, folder / MODEL)
        scored = score(calibrated, parts.test, progress)
        with progress.bar("Writing figures and charts"):
            write(folder, description, parts, calibrated, scored)
    return Bundle.open(description.out)


def calibrate(network: keras.Model, validation: PartPhotos, sensitivity: float | None, path: Path) -> Calibrated:
    """Save the model with the temperature that fits the validation photos; choose the threshold of what was saved.

    Without a sensitivity there is no decision.
    """
    logits = class_logits(predict(network, validation.tensors))
    temperature = fit_temperature(logits, validation.targets)
    model = saved(calibrated_model(network, temperature), path, validation.tensors[:8])
    if sensitivity is None:
        return Calibrated(model, temperature, None, None)
    positive = validation.split.dataset.task.spec.positive_indices
    found = scores(predict(model, validation.tensors), positive)
    is_positive = np.isin(validation.targets, positive)
    threshold = choose_threshold(found, is_positive, sensitivity)
    tuning = TuningSet(
        photo_ids=list(validation.photos.ids),
        lesions=list(validation.photos.groups),
        scores=found,
        positive=is_positive,
    )
    return Calibrated(model, temperature, Decision(threshold=threshold, target_sensitivity=sensitivity), tuning)


def saved(model: keras.Model, path: Path, tensors: NDArray[np.uint8]) -> keras.Model:
    """Save a model and return it as it is read back.

    Raises:
        BundleError: It does not answer to the tensors, uint8 [n, S, S, 3], as the model in memory, to the bit.
    """
    import keras

    model.save(path)
    read_back = keras.saving.load_model(path, compile=False)
    if not np.array_equal(predict(read_back, tensors), predict(model, tensors)):
        raise BundleError(
            f"{path.name}, read back from disk, does not answer as the model in memory.",
            remedy="Keras' own save and load disagree: compare the installed version with constraints.txt.",
        )
    return read_back


def score(calibrated: Calibrated, test: PartPhotos, progress: Progress) -> Scored:
    """Answer the test photos, once, and evaluate the answers."""
    dataset, tensors = test.split.dataset, test.tensors
    with progress.bar("Scoring the test part") as update:
        answers = predict(calibrated.model, tensors, update=update)
    with progress.bar("Drawing intervals"):
        evaluation = evaluate(
            answers,
            test.photos,
            dataset.task.spec,
            calibrated.decision,
            temperature=calibrated.temperature,
            subgroups=tuple(grouped(test.photos.metadata, tensors)),
            tuning=calibrated.tuning,
        )
    return Scored(answers, evaluation)


def write(
    folder: Path, description: BundleDescription, parts: SplitPhotos, calibrated: Calibrated, scored: Scored
) -> None:
    """Write what a bundle holds beside its model: split, golden and calibration photos, evaluation, manifest."""
    write_split(parts.test.split, folder / SPLIT)
    _write_golden(folder / "golden", parts.test, scored.answers, description.seed)
    _write_calibration(folder / "calibration", parts.train, description.seed)
    manifest = _manifest(description, parts, calibrated, evaluation=scored.evaluation, folder=folder)
    card = render_model_card(manifest, scored.evaluation.report, description.words, read_licence(description.data))
    write_evaluation(folder / "evaluation", scored.evaluation, card)
    if history := description.history:
        draw_training(folder / "evaluation" / "curves.png", [asdict(one) for one in history], kept_epochs(history))
        write_history(folder / "evaluation" / "history.csv", history)
        write_events(folder / "evaluation" / TENSORBOARD, history)
    write_manifest(folder, manifest.model_copy(update={"files": file_entries(folder)}))


def _write_golden(folder: Path, test: PartPhotos, answers: NDArray[np.float32], seed: int) -> None:
    chosen = choose_golden(test.targets, answers, seed)
    labels = test.split.dataset.task.spec.ids
    write_golden_set(folder, test.photos.take(chosen), labels, test.some_tensors(chosen), answers[chosen])


def _write_calibration(folder: Path, train: PartPhotos, seed: int) -> None:
    folder.mkdir()
    np.save(folder / "tensors.npy", train.some_tensors(choose_calibration(len(train.records), seed)))


def _manifest(
    description: BundleDescription, parts: SplitPhotos, calibrated: Calibrated, *, evaluation: Evaluation, folder: Path
) -> Manifest:
    parameters = int(calibrated.model.count_params())
    return Manifest(
        name=description.name,
        version=VERSION,
        task=parts.test.split.dataset.task.spec,
        preprocessing=description.preprocessing,
        model=ModelSpec(
            architecture=description.architecture,
            operators=operators_of(calibrated.model),
            alpha=description.alpha,
            parameters=parameters,
            weights=description.weights,
        ),
        calibration=Calibration(temperature=calibrated.temperature),
        decision=calibrated.decision,
        abstention=_abstention(description.answer_rate, parts),
        dataset=_dataset(parts, description.lesion_pattern),
        metrics=evaluation.metrics("test"),
        provenance=provenance(description.command, description.seed, description.seconds),
        compression=description.compression,
        origin=description.origin,
        files=file_entries(folder),
    )


def _abstention(answer_rate: float | None, parts: SplitPhotos) -> Abstention | None:
    """Return when the model cannot tell, chosen on the validation photos; None where it is to answer everything."""
    if answer_rate is None:
        return None
    validation, test = (survey_inputs(photos.tensors) for photos in (parts.validation, parts.test))
    return with_shares(fit_abstention(validation, answer_rate), {"test": test})


def _dataset(parts: SplitPhotos, lesion_pattern: str | None) -> DatasetSpec:
    split, dataset = parts.test.split, parts.test.split.dataset
    lesions = len({record.lesion_id for record in dataset.records})
    return DatasetSpec(
        name=dataset.name,
        reader=dataset.report.reader,
        fingerprint=dataset.fingerprint,
        photos=len(dataset.records),
        lesions=lesions,
        dropped=dict(dataset.report.dropped),
        lesion_pattern=lesion_pattern,
        split=SplitSpec(file=SPLIT, seed=split.seed, photos=split.photos(), lesions=split.lesions()),
    )


def training_in_words(request: TrainingRequest, trained: FitResult) -> dict[str, object]:
    """Return what the training did, for the model card's table."""
    recipe = request.recipe
    words: dict[str, object] = {}
    phases = {
        "head": f"classification layer on frozen features, Adam {recipe.learning_rate:g}, {recipe.views} views a photo",
        "last4": f"last four layers of the trunk with it, Adam {recipe.tuning_rate:g}",
        "all": f"all layers, AdamW {recipe.tuning_rate:g} with warm-up and cosine, moving average of the weights, "
        f"label smoothing {recipe.label_smoothing:g}",
    }
    for number, name in enumerate(dict.fromkeys(one.phase for one in trained.history), start=1):
        epochs = [one for one in trained.history if one.phase == name]
        kept = best_of(epochs).epoch
        words[f"Phase {number}"] = f"{phases[name]}; {len(epochs)} epochs, epoch {kept} kept"
    return {
        **words,
        "Batch": recipe.batch,
        "Class weights": {"none": "equal", "sqrt": "1/sqrt(photos)", "full": "1/photos"}[recipe.balance],
        "Kept epoch": "least cross-entropy on validation photos",
    }
