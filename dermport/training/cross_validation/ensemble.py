"""The ensemble of a cross-validation: one model that averages the calibrated probabilities of all folds' models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.atomic import atomic_directory
from dermport.bundle.manifest import (
    Calibration,
    CrossValidationSpec,
    DatasetSpec,
    Decision,
    Manifest,
    Part,
    SplitSpec,
)
from dermport.bundle.operators import operators_of
from dermport.bundle.photo_set import PhotoSet
from dermport.bundle.store import file_entries, write_manifest
from dermport.progress import Progress
from dermport.statistics.threshold import choose_threshold
from dermport.training.assemble import MODEL, SPLIT, VERSION
from dermport.training.cross_validation.folds import HELD_OUT
from dermport.training.cross_validation.predictions import TrainedFolds
from dermport.training.data.photos import load_tensors, photo_set
from dermport.training.data.splits import Split, write_split
from dermport.training.evaluation.evaluation import Evaluation, evaluate
from dermport.training.evaluation.files import write_evaluation
from dermport.training.evaluation.model_card import read_licence, render_model_card
from dermport.training.evaluation.threshold import TuningSet
from dermport.training.golden import GOLDEN_PHOTOS, choose_calibration, choose_golden, write_golden_set
from dermport.training.model.network import predict
from dermport.training.provenance import provenance

if TYPE_CHECKING:
    import keras

_WORDS = (
    "The average of the calibrated probabilities of {count} models, one of each fold. Every photo but held-out ones "
    "trained or tuned all members but one, so that no photo of the folds can score it honestly: the threshold was "
    "chosen on the out-of-fold predictions, each of which is one member's, {figures}"
)
_OUT_OF_FOLD = (
    "and the figures are of these: of the members, not of their average, which tends to do better (Hansen and Salamon "
    "1990) and to be less sure of itself. No figure of the average itself was measured."
)
_HELD_OUT = "and the figures are of the average on the {photos:,} held-out photos, which no member saw."


@dataclass(frozen=True)
class Ensemble:
    """An ensemble that is being made.

    Attributes:
        done: The folds.
        spec: What the manifest says of it.
    """

    done: TrainedFolds
    spec: CrossValidationSpec

    def write(self, folder: Path, progress: Progress) -> None:
        """Write the bundle into an empty folder."""
        model = averaged([bundle.file(bundle.manifest.model.file) for bundle in self.done.bundles])
        model.save(folder / MODEL)
        write_split(self.split, folder / SPLIT)
        train, seed = self.split.indices("train"), self.done.folds.seed
        (folder / "calibration").mkdir()
        np.save(folder / "calibration" / "tensors.npy", self._tensors(train[choose_calibration(len(train), seed)]))
        self._write_golden(folder / "golden", model)
        evaluation = self._evaluation(model, progress)
        manifest = self._manifest(folder, evaluation, model)
        licence = read_licence(self.done.asked.training.data)
        card = render_model_card(manifest, evaluation.report, {"Ensemble": self.spec.words}, licence)
        write_evaluation(folder / "evaluation", evaluation, card)
        write_manifest(folder, manifest.model_copy(update={"files": file_entries(folder)}))

    @property
    def split(self) -> Split:
        """The split of its own: what any fold saw trained it, what is held out tests it."""
        folds = self.done.folds
        parts: tuple[Part, ...] = tuple("test" if one == HELD_OUT else "train" for one in folds.of_photo)
        return Split(folds.dataset, parts, folds.seed)

    @property
    def decision(self) -> Decision:
        """The rule, with the threshold that reaches the sensitivity out of fold."""
        target, pooled = self.done.asked.training.target_sensitivity, self.done.found.pooled
        return Decision(
            threshold=choose_threshold(pooled.scores, pooled.is_positive, target), target_sensitivity=target
        )

    def _tensors(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        training = self.done.asked.training
        records = [self.done.folds.dataset.records[index] for index in indices]
        return load_tensors(records, training.recipe.preprocessing, jobs=training.jobs)

    def _write_golden(self, folder: Path, model: keras.Model) -> None:
        """Write the golden set, of held-out photos where there are any: ports are held against it, not the model."""
        folds, dataset = self.done.folds, self.done.folds.dataset
        targets, random = dataset.targets(), np.random.default_rng(folds.seed)
        drawn = folds.held_out if len(folds.held_out) else np.arange(len(targets))
        drawn = np.sort(np.concatenate([_some(drawn[targets[drawn] == one], random) for one in np.unique(targets)]))
        tensors = self._tensors(drawn)
        answers = predict(model, tensors)
        chosen = choose_golden(targets[drawn], answers, folds.seed)
        photos = photo_set(dataset, [dataset.records[index] for index in drawn[chosen]])
        write_golden_set(folder, photos, dataset.task.spec.ids, tensors[chosen], answers[chosen])

    def _evaluation(self, model: keras.Model, progress: Progress) -> Evaluation:
        found, held_out = self.done.found, self.done.folds.held_out
        dataset, task = self.done.folds.dataset, found.task
        if not len(held_out):
            scored = PhotoSet(dataset.name, found.photo_ids, part="out-of-fold", truth=found.truth, groups=found.groups)
            return evaluate(found.probabilities, scored, task, self.decision, temperature=1.0)
        with progress.bar("Scoring the held-out photos") as update:
            answers = predict(model, self._tensors(held_out), update=update)
        groups = dataset.groups()
        scored = PhotoSet(
            dataset.name,
            [dataset.records[index].photo_id for index in held_out],
            part="test",
            truth=dataset.targets()[held_out],
            groups=[groups[index] for index in held_out],
        )
        tuning = TuningSet(found.photo_ids, found.groups, found.pooled.scores, found.pooled.is_positive)
        return evaluate(answers, scored, task, self.decision, temperature=1.0, tuning=tuning)

    def _manifest(self, folder: Path, evaluation: Evaluation, ensemble: keras.Model) -> Manifest:
        training, first = self.done.asked.training, self.done.bundles[0].manifest
        made = {"operators": operators_of(ensemble), "parameters": int(ensemble.count_params())}
        model = first.model.model_copy(update=made)
        seconds = sum(bundle.manifest.provenance.seconds for bundle in self.done.bundles)
        return Manifest(
            name=training.name,
            version=VERSION,
            task=first.task,
            preprocessing=training.recipe.preprocessing,
            model=model,
            calibration=Calibration(temperature=1.0),
            decision=self.decision,
            dataset=self._dataset(first.known_dataset),
            metrics=evaluation.metrics("test" if len(self.done.folds.held_out) else "validation"),
            provenance=provenance(training.command, self.done.folds.seed, seconds),
            cross_validation=self.spec,
            files=file_entries(folder),
        )

    def _dataset(self, of_member: DatasetSpec) -> DatasetSpec:
        own, seed = self.split, self.done.folds.seed
        split = SplitSpec(file=SPLIT, seed=seed, photos=own.photos(), lesions=own.lesions())
        return of_member.model_copy(update={"split": split})


def keep_ensemble(done: TrainedFolds, progress: Progress) -> None:
    """Write the ensemble's bundle, ``OUT/bundle``; its figures are never of photos that its members saw.

    Each member keeps its own temperature, folded in; the average is not calibrated again, since there is no photo of
    the folds on which its probabilities could be judged.
    """
    held_out, asked = len(done.folds.held_out), done.asked
    words = _WORDS.format(count=asked.folds, figures=_HELD_OUT.format(photos=held_out) if held_out else _OUT_OF_FOLD)
    spec = CrossValidationSpec(
        kept="ensemble",
        folds=asked.folds,
        plan_sha256=done.plan.sha256,
        members=done.members,
        figures="held out" if held_out else "out of fold",
        words=words,
    )
    with atomic_directory(asked.bundle_folder) as folder:
        Ensemble(done, spec).write(folder, progress)
    progress.say(words)


def averaged(paths: Sequence[Path]) -> keras.Model:
    """Return the model that averages the outputs of saved models of one input, layers named ``fold_K_...``."""
    import keras

    models = [keras.saving.load_model(path, compile=False) for path in paths]
    image = keras.Input(models[0].input_shape[1:], name="image")

    def copied(number: int, model: keras.Model) -> keras.Model:
        def renamed(layer: keras.Layer) -> keras.Layer:
            return type(layer).from_config({**layer.get_config(), "name": f"fold_{number}_{layer.name}"})

        copy = keras.models.clone_model(model, input_tensors=image, clone_function=renamed)
        copy.set_weights(model.get_weights())
        return copy

    copies = [copied(number, model) for number, model in enumerate(models, start=1)]
    answer = keras.layers.Average(name="probabilities")([copy.output for copy in copies])
    ensemble = keras.Model(image, answer, name="dermport")
    ensemble.trainable = False
    return ensemble


def _some(indices: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    return indices if len(indices) <= GOLDEN_PHOTOS else random.choice(indices, GOLDEN_PHOTOS, replace=False)
