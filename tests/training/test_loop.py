"""The training loop: it learns, keeps the best epoch, stops, and goes on to the same weights."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dermport.training.features import Features
from dermport.training.model.network import build_network
from dermport.training.phases.loop import Phase, Targets, TrainingLoop
from dermport.training.phases.recipes import adamw_with_cosine, compile_for, head_phase, random_views
from dermport.training.phases.state import EpochFigures, PhaseState, load_state, save_state
from dermport.training.recipe import TrainingRecipe

TINY = TrainingRecipe(weights="none", alpha=0.35, size=64, fine_tune="all")


class Quiet:
    """A progress that keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    @contextlib.contextmanager
    def bar(self, what: str) -> Iterator[Callable[[int, int], None]]:
        yield lambda done, total: None


class Stops(Quiet):
    """A progress that stops the training when it is told of an epoch, before that epoch's checkpoint."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def say(self, text: str) -> None:
        super().say(text)
        if text.split("/", maxsplit=1)[0].endswith(f" {self.after}"):
            raise KeyboardInterrupt


def _separable(count: int, width: int, seed: int) -> tuple[Features, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = np.arange(count) % 7
    pooled = np.zeros((count, width), np.float32)
    pooled[:, :20] = random.normal(0, 1, (count, 20))
    pooled[np.arange(count), truth] += 4
    return Features(np.zeros((count, 1, 1, 1), np.float16), pooled), truth


def _head(folder: Path, recipe: TrainingRecipe, progress: Any) -> tuple[tuple[EpochFigures, ...], list[np.ndarray]]:
    network = build_network(recipe, 7)
    width = network.get_layer("classifier").get_weights()[0].shape[0]
    train, truth = _separable(200, width, 1)
    held_out, held_out_truth = _separable(70, width, 2)
    loop = TrainingLoop(
        folder, Targets(truth, held_out_truth, np.ones(7, np.float32)), 32, recipe.patience, 0, progress
    )
    phase = replace(head_phase(network, recipe, [train], held_out), epochs=recipe.epochs)
    return loop.run(phase), network.get_layer("classifier").get_weights()


def test_the_loop_learns_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    history, weights = _head(tmp_path, replace(TINY, epochs=12, learning_rate=0.01, patience=0), Quiet())
    assert len(history) == 12
    assert history[-1].val_accuracy > 0.9 > history[0].val_accuracy
    state = load_state(tmp_path / "head.npz")
    assert state.finished
    assert state.best_epoch == min(history, key=lambda one: one.val_loss)
    assert any(np.array_equal(weights[0], value) for value in state.best)


def test_a_loop_that_was_stopped_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    recipe = replace(TINY, epochs=8, dropout=0.3)
    _, whole = _head(tmp_path / "whole", recipe, Quiet())
    with pytest.raises(KeyboardInterrupt):
        _head(tmp_path / "stopped", recipe, Stops(after=4))
    assert len(load_state(tmp_path / "stopped" / "head.npz").history) == 3
    progress = Quiet()
    history, resumed = _head(tmp_path / "stopped", recipe, progress)
    assert "resumed after epoch 3" in progress.lines[0]
    assert [one.epoch for one in history] == list(range(1, 9))
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))


def test_schedule_and_moving_average_are_resumed_too(tmp_path: Path) -> None:
    """The optimizer that trains all layers, on a network of one layer."""
    import keras

    def train(folder: Path, stop_after: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        image = keras.Input((20,))
        model = keras.Model(image, keras.layers.Dense(7)(image))
        compile_for(model, adamw_with_cosine(0.05, 6 * 6, 0.9), smoothing=0.05)
        (features, truth), (held_out, held_out_truth) = _separable(200, 20, 1), _separable(70, 20, 2)
        inputs = random_views([features.pooled])
        loop = TrainingLoop(folder, Targets(truth, held_out_truth, np.ones(7, np.float32)), 32, 0, 0, Stops(stop_after))
        with contextlib.suppress(KeyboardInterrupt):
            loop.run(Phase("all", "All layers", model, 6, inputs, held_out.pooled))
        return list(model.get_weights())

    whole = train(tmp_path / "whole", stop_after=99)
    train(tmp_path / "stopped", stop_after=3)
    assert len(load_state(tmp_path / "stopped" / "all.npz").history) == 2
    resumed = train(tmp_path / "stopped", stop_after=99)
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))
    assert not np.array_equal(load_state(tmp_path / "whole" / "all.npz").best[0], np.zeros_like(whole[0]))


def test_mixup_blends_inputs_targets_and_weights_alike() -> None:
    truth = np.arange(32) % 7
    weights = np.arange(1, 8, dtype=np.float32)
    one_hot = np.eye(7, dtype=np.float32)
    phase = Phase("all", "", None, 1, lambda indices, random: one_hot[truth[indices]], truth, mixup=0.5)
    targets_of = Targets(truth, truth, weights)
    inputs, targets, sample_weights = phase.batch(np.arange(32), targets_of, np.random.default_rng(0))
    np.testing.assert_allclose(inputs, targets)
    np.testing.assert_allclose(sample_weights, targets @ weights, rtol=1e-5)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-5)
    assert (np.sort(targets, axis=1)[:, -2] > 0.01).sum() > 8


def test_patience_stops_a_phase(tmp_path: Path) -> None:
    history, _ = _head(tmp_path, replace(TINY, epochs=60, learning_rate=0.05, patience=3), Quiet())
    best = min(history, key=lambda one: one.val_loss)
    assert len(history) == best.epoch + 3 < 60


def test_a_state_survives_the_disk(tmp_path: Path) -> None:
    figures = EpochFigures("head", 1, 0.5, 0.75, 0.6, 0.7, None, 1.5)
    arrays = tuple(np.full((2, 3), index, np.float32) for index in range(12))
    save_state(tmp_path / "a.npz", PhaseState((figures,), False, arrays, (np.int64(7),), arrays[:2]))
    state = load_state(tmp_path / "a.npz")
    assert state.history == (figures,)
    assert [int(one[0, 0]) for one in state.variables] == list(range(12))
    assert (int(state.optimizer[0]), len(state.best)) == (7, 2)
