"""The training loop: epochs with a checkpoint after each, early stopping, the best epoch kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_bytes
from dermport.progress import Progress
from dermport.statistics.metrics import Predictions, figures
from dermport.statistics.temperature import at_temperature
from dermport.training.model.network import class_logits, predict
from dermport.training.phases.prefetch import Waiting, prefetched
from dermport.training.phases.state import Arrays, EpochFigures, PhaseState, load_state, restore, save_state, snapshot
from dermport.training.runs.log import RunLog

if TYPE_CHECKING:
    import keras

Inputs = Callable[[NDArray[np.int64], np.random.Generator], NDArray[np.float32]]
"""From photo indices [B] to what the phase's model takes, augmented with the generator."""

Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""What a step trains on: inputs [B, ...], targets [B, ...] as the loss takes them, weights [B]."""


@dataclass(frozen=True)
class Phase:
    """One phase of training.

    Attributes:
        name: Short name, also of its checkpoint.
        title: The phase in words.
        model: The compiled Keras model that it trains; its outputs are logits.
        epochs: At most so many.
        inputs: From indices of training photos to the model's inputs.
        validation: The model's inputs for the validation photos.
        mixup: Photos of a batch are blended in pairs with a share drawn from Beta(mixup, mixup), and their targets
            with them (Zhang et al. 2018); 0 for not at all.
    """

    name: str
    title: str
    model: keras.Model
    epochs: int
    inputs: Inputs
    validation: NDArray[np.generic]
    mixup: float = 0.0

    def batch(self, indices: NDArray[np.int64], targets: Targets, random: np.random.Generator) -> Batch:
        """Return what a step trains on: photos [B] of the training part, augmented and blended."""
        inputs = self.inputs(indices, random)
        labels, weights = targets.encoded(indices), targets.weights(indices)
        if not self.mixup:
            return inputs, labels, weights
        mixture = Mixture.drawn(self.mixup, len(indices), random)
        return mixture.of(inputs), mixture.of(labels), mixture.of(weights)

    def logits(self) -> NDArray[np.float32]:
        """Return the logits of the validation photos with the weights as they are, float32 [N, C]."""
        return class_logits(predict(self.model, self.validation))


@dataclass(frozen=True)
class Mixture:
    """Photos blended in pairs (see :attr:`Phase.mixup`).

    Attributes:
        share: How much of each photo is kept, float32 [B].
        partner: The photo of the batch that gives the rest, int [B].
    """

    share: NDArray[np.float32]
    partner: NDArray[np.int64]

    @classmethod
    def drawn(cls, mixup: float, count: int, random: np.random.Generator) -> Mixture:
        """Draw the shares of `count` photos from Beta(mixup, mixup), then their partners."""
        return cls(random.beta(mixup, mixup, count).astype(np.float32), random.permutation(count))

    def of(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return share * values + (1 - share) * their partners, each photo with its own share; [B, ...]."""
        share = self.share.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(values * share + values[self.partner] * (1 - share))


@dataclass(frozen=True)
class Targets:
    """What the photos show.

    Attributes:
        train: Class indices of the training photos, int64 [N].
        validation: Class indices of the validation photos, int64 [M].
        class_weights: What an error on each class costs, float32 [C].
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    class_weights: NDArray[np.float32]

    def encoded(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the training targets as the losses take them: one-hot [B, C], or [B, 1] for two classes."""
        classes = len(self.class_weights)
        one_hot = np.eye(classes, dtype=np.float32)[self.train[indices]]
        return one_hot[:, 1:] if classes == 2 else one_hot

    def weights(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what an error on each of these training photos costs, float32 [B]."""
        return np.asarray(self.class_weights[self.train[indices]])


@dataclass(frozen=True)
class TrainingLoop:
    """What all phases of a run share.

    Attributes:
        folder: Where checkpoints are kept, ``<phase>.npz``.
        targets: What the photos show.
        batch: Photos a step.
        patience: Epochs without a better one after which a phase stops; 0 for never.
        seed: Of everything random.
        progress: What a person sees.
    """

    folder: Path
    targets: Targets
    batch: int
    patience: int
    seed: int
    progress: Progress

    def run(self, phase: Phase) -> tuple[EpochFigures, ...]:
        """Train a phase from wherever its checkpoint stands, leave its best weights in the model, return its history.

        Order and augmentation of an epoch depend on (seed, phase, epoch) alone, and the checkpoint holds all else, so
        a run that was killed and resumed ends with the same weights as one that was not.
        """
        path = self.folder / f"{phase.name}.npz"
        state = load_state(path)
        if not state.finished:
            state = self._train(phase, state, path)
        if state.best:
            restore(phase.model.variables, state.best)
            best = state.best_epoch
            self.progress.say(f"{phase.title}: epoch {best.epoch} of {len(state.history)} is kept ({_words(best)})")
        return state.history

    def _train(self, phase: Phase, state: PhaseState, path: Path) -> PhaseState:
        log = RunLog(self.folder, phase.name)
        if state.history:
            phase.model.optimizer.build(phase.model.trainable_variables)
            restore(phase.model.variables, state.variables)
            restore(phase.model.optimizer.variables, state.optimizer)
            self.progress.say(f"{phase.title}: resumed after epoch {len(state.history)}")
            log.write(state.history)
        steps = steps_per_epoch(len(self.targets.train), self.batch)
        with self.progress.bar(phase.title) as update:
            while not self._is_over(phase, state):
                done = len(state.history) * steps
                state = self._epoch(phase, state, partial(_advance, update, done, phase.epochs * steps))
                save_state(path, state)
                log.write(state.history)
        state = replace(state, finished=True, variables=(), optimizer=())
        save_state(path, state)
        return state

    def _is_over(self, phase: Phase, state: PhaseState) -> bool:
        epochs = len(state.history)
        out_of_patience = self.patience and epochs and epochs - state.best_epoch.epoch >= self.patience
        return epochs >= phase.epochs or bool(out_of_patience)

    def _epoch(self, phase: Phase, state: PhaseState, update: Callable[[int], None]) -> PhaseState:
        started, epoch = time.perf_counter(), len(state.history) + 1
        random = np.random.default_rng(_entropy(self.seed, phase.name, epoch))
        waiting = Waiting()
        logs: list[dict[str, float]] = []
        make = partial(phase.batch, targets=self.targets, random=random)
        with prefetched(make, self._batches(random), waiting) as batches:
            for batch in batches:
                logs.append(_step(phase, batch))
                update(len(logs))
        busy = round(waiting.busy, 3)
        answering, logits = _answers(phase)
        loss, accuracy, auc = self._validate(logits)
        measured = EpochFigures(
            phase.name,
            epoch,
            float(np.mean([one["loss"] for one in logs])),
            float(np.mean([one["accuracy"] for one in logs])),
            loss,
            accuracy,
            auc,
            seconds=round(time.perf_counter() - started, 3),
            busy=busy,
        )
        self.progress.say(f"{phase.name} {epoch}/{phase.epochs}: {_words(measured)}{_time_left(phase, measured)}")
        return state.after(measured, phase.model, answering)

    def _batches(self, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        order = random.permutation(len(self.targets.train))
        for step in range(steps_per_epoch(len(order), self.batch)):
            yield order[step * self.batch : (step + 1) * self.batch]

    def _validate(self, logits: NDArray[np.float32]) -> tuple[float, float, float | None]:
        """Return loss, accuracy and macro ROC AUC of the validation photos."""
        truth = self.targets.validation
        found = figures(Predictions(at_temperature(logits, 1.0), truth, positive=(0,), threshold=0.5))
        return found["nll"] or 0.0, found["accuracy"] or 0.0, found["macro_roc_auc"]


def steps_per_epoch(photos: int, batch: int) -> int:
    """Return the steps an epoch has: a last batch that is not full is left out, and its photos come another time."""
    return max(1, photos // batch)


def class_weights(targets: NDArray[np.int64], classes: int, balance: str) -> NDArray[np.float32]:
    """Return float32 [C] with mean 1 over the photos: 1, 1/sqrt(count) or 1/count by `balance`."""
    counts = np.bincount(targets, minlength=classes).astype(np.float64)
    power = {"none": 0.0, "sqrt": 0.5, "full": 1.0}[balance]
    weights = np.maximum(counts, 1) ** -power
    return np.asarray(weights / (weights * counts).sum() * counts.sum(), dtype=np.float32)


def _advance(update: Callable[[int, int], None], done: int, total: int, step: int) -> None:
    update(done + step, total)


def _step(phase: Phase, batch: Batch) -> dict[str, float]:
    """Train one batch; Keras starts its metrics anew with each, so what returns is of this batch alone."""
    inputs, targets, weights = batch
    logs: dict[str, float] = phase.model.train_on_batch(inputs, targets, sample_weight=weights, return_dict=True)
    return logs


def _entropy(seed: int, phase: str, epoch: int) -> int:
    return int(sha256_bytes(f"{seed}:{phase}:{epoch}".encode())[:32], 16)


def _answers(phase: Phase) -> tuple[Arrays, NDArray[np.float32]]:
    """Return the variables that would answer now, and their logits for the validation photos.

    With a moving average of the weights (Polyak and Juditsky 1992) it is the average that answers.
    """
    model, optimizer = phase.model, phase.model.optimizer
    training = snapshot(model.variables)
    if optimizer.use_ema:
        optimizer.finalize_variable_values(model.trainable_variables)
    answering = snapshot(model.variables)
    logits = phase.logits()
    restore(model.variables, training)
    return answering, logits


def _words(one: EpochFigures) -> str:
    auc = "undefined" if one.val_macro_auc is None else f"{one.val_macro_auc:.4f}"
    return (
        f"loss {one.loss:.4f}, accuracy {one.accuracy:.4f}; validation: loss {one.val_loss:.4f}, "
        f"accuracy {one.val_accuracy:.4f}, macro AUC {auc}; {one.seconds:.1f} s"
    )


def _time_left(phase: Phase, one: EpochFigures) -> str:
    """Return how busy the trainer was, and what is left of the phase if its other epochs take as long."""
    busy = "" if one.busy is None else f", trainer busy {one.busy:.0%}"
    left = round((phase.epochs - one.epoch) * one.seconds)
    return f"{busy}, {timedelta(seconds=left)} of this phase left" if left else busy
