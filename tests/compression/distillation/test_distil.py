from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from dermport.compression.distillation import teacher_outputs
from dermport.compression.distillation.distil import Distil
from dermport.compression.distillation.objective import Objective
from dermport.compression.distillation.phase import CachedTargets, DistillationPhase, OnlineTargets
from dermport.compression.distillation.teacher import Teacher, of_file
from dermport.compression.distillation.teacher_outputs import Views, cached_outputs
from dermport.compression.fine_tune import augmented
from dermport.compression.step import StepContext, StepResult
from dermport.statistics.temperature import at_temperature
from dermport.training.augment import STRONG
from dermport.training.phases.loop import TrainingLoop
from tests.compression.distillation.networks import small_network

SHORT = {"epochs": 2, "batch": 16, "views": 2, "teacher_mode": "kept"}


@pytest.fixture
def file(context: StepContext, tmp_path: Path) -> Path:
    """A teacher's file."""
    network = small_network(context, seed=1, channels=12)
    kernel, bias = network.get_layer("classifier").get_weights()
    network.get_layer("classifier").set_weights([20 * kernel, bias])
    network.save(tmp_path / "teacher.keras")
    return tmp_path / "teacher.keras"


@pytest.fixture
def teacher(file: Path, context: StepContext) -> Teacher:
    return of_file(file, "0..255", context)


@pytest.fixture
def phase(teacher: Teacher, context: StepContext) -> Callable[..., DistillationPhase]:
    """Makes a phase, by the teacher's mode and mixup."""
    objective, train = Objective(context.classes, 2.0, 0.7), context.parts.train

    def make(mode: str, mixup: float) -> DistillationPhase:
        if mode == "live":
            soft_targets, inputs = OnlineTargets(teacher, objective), augmented(train.tensors, "strong")
        else:
            views = Views(3, STRONG, 0)
            kept = cached_outputs(context.cache, teacher, train, views, features=False, progress=context.progress)
            soft_targets = CachedTargets(kept, objective, views)
            inputs = soft_targets.inputs(train.tensors)
        model: Any = None
        return DistillationPhase(
            "distil", "", model, 1, inputs, train.tensors, mixup, network=model, soft_targets=soft_targets
        )

    return make


def _batch(phase: DistillationPhase, context: StepContext) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return inputs, labels and what the teacher says of twelve photos."""
    inputs, targets, _ = phase.batch(np.arange(12), context.targets(), np.random.default_rng(4))
    return inputs, targets[:, : context.classes], targets[:, context.classes :]


@pytest.mark.parametrize(("mode", "mixup"), [("live", 0.0), ("live", 0.4), ("kept", 0.0)])
def test_the_teacher_answers_the_very_photos_that_the_student_sees(
    context: StepContext, teacher: Teacher, phase: Callable[..., DistillationPhase], mode: str, mixup: float
) -> None:
    inputs, _, said = _batch(phase(mode, mixup), context)
    np.testing.assert_allclose(said, at_temperature(teacher.outputs(inputs)[0], 2.0), atol=1e-4)
    assert said.std(axis=0).max() > 0.01, "answers that never differ would agree by themselves"


def test_kept_answers_are_blended_as_the_labels_are(
    context: StepContext, phase: Callable[..., DistillationPhase]
) -> None:
    _, labels, pure = _batch(phase("kept", 0.0), context)
    _, blended_labels, blended = _batch(phase("kept", 0.4), context)
    blend = np.random.default_rng(4)
    blend.integers(3, size=12)
    share, partner = blend.beta(0.4, 0.4, 12)[:, None], blend.permutation(12)
    np.testing.assert_allclose(blended_labels, share * labels + (1 - share) * labels[partner], atol=1e-6)
    np.testing.assert_allclose(blended, share * pure + (1 - share) * pure[partner], atol=1e-6)
    assert np.abs(blended - pure).max() > 0.01


def test_a_teacher_of_another_size_sees_the_same_view(
    context: StepContext, phase: Callable[..., DistillationPhase], monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller = replace(
        context.parts.train, preprocessing=context.parts.train.preprocessing.model_copy(update={"size": 32})
    )
    live = phase("live", 0.3)
    theirs = augmented(context.parts.train.tensors, "strong")
    student = replace(
        live, inputs=augmented(smaller.tensors, "strong"), soft_targets=replace(live.soft_targets, inputs=theirs)
    )
    seen: list[np.ndarray] = []
    answers_of = Teacher.outputs
    monkeypatch.setattr(Teacher, "outputs", lambda self, photos: seen.append(photos) or answers_of(self, photos))
    inputs, _, _ = _batch(student, context)
    halved = seen[0].reshape(12, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    closeness = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in zip(inputs, halved, strict=True)]
    assert min(closeness) > 0.95


def _distilled(context: StepContext, file: Path, **options: Any) -> StepResult:
    return Distil(teacher=str(file), **{**SHORT, **options}).run(small_network(context, seed=2), context)


@pytest.mark.parametrize("mode", ["live", "kept"])
def test_a_killed_step_goes_on_to_the_same_weights(
    context: StepContext, file: Path, monkeypatch: pytest.MonkeyPatch, mode: str, tmp_path: Path
) -> None:
    options = {"teacher_mode": mode, "features": 0.1, "mixup": 0.2}
    whole = _distilled(replace(context, folder=tmp_path / "whole"), file, **options)

    class Killed(Exception):
        pass

    epoch = TrainingLoop._epoch

    def killed(self: TrainingLoop, phase: Any, state: Any, update: Any) -> Any:
        if state.history:
            raise Killed
        return epoch(self, phase, state, update)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingLoop, "_epoch", killed)
        with pytest.raises(Killed):
            _distilled(context, file, **options)
    again = _distilled(context, file, **options)
    assert len(again.history) == 2
    for one, other in zip(whole.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert "mapped_features" not in [layer.name for layer in again.network.layers]
    assert set(again.figures) == {"teacher_accuracy", "agreement_with_teacher"}
    assert "teacher.keras" in again.notes[0]


def test_a_student_comes_closer_to_its_teacher(context: StepContext, file: Path) -> None:
    options = {"epochs": 12, "batch": 8, "learning_rate": 1e-2, "weight": 1.0, "mixup": 0.0, "augmentation": "gentle"}
    outcome = _distilled(context, file, **options)
    losses = [epoch.loss for epoch in outcome.history]
    assert losses[-1] < 0.5 * losses[0]
    assert keras.models.clone_model(outcome.network), "a step after this one can take it over"


def test_answers_are_kept_for_the_next_student(
    context: StepContext, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def again(name: str, **options: Any) -> StepResult:
        return _distilled(replace(context, folder=tmp_path / name), file, **{"epochs": 1, **options})

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("computed again")

    again("first")
    monkeypatch.setattr(teacher_outputs, "_compute", refuse)
    again("second", temperature=5.0)
    for other in ({"views": 3}, {"augmentation": "gentle"}, {"features": 1.0}):
        with pytest.raises(AssertionError, match="computed again"):
            again("third", **other)
