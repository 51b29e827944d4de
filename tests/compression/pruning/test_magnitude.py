"""Magnitude pruning: exact zeros under AdamW and its moving average, after a kill too; the 2:4 pattern is checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from dermport.compression.pruning.masks import kernels_of, prunable, smallest_zeroed, sparsity_of, two_of_four_zeroed
from dermport.compression.pruning.prune_magnitude import PruneMagnitude
from dermport.compression.step import StepContext
from dermport.training.phases.loop import TrainingLoop

if TYPE_CHECKING:
    import keras


def drawn(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(shape[-1]).normal(size=shape).astype(np.float32)


def test_sparsity_rises_along_a_cubic_curve() -> None:
    step = PruneMagnitude(sparsity=0.8)
    assert [step.share(progress) for progress in (0, 0.5, 1)] == pytest.approx([0, 0.7, 0.8])


def test_each_layer_gives_the_same_share_or_all_compete() -> None:
    kernels = {"a": drawn(1, 1, 16, 8), "b": np.sign(drawn(1, 1, 16, 16)) * 5}
    layer = smallest_zeroed(kernels, 0.5, "layer")
    assert {name: sparsity_of([kernel]) for name, kernel in layer.items()} == {"a": 0.5, "b": 0.5}
    everything = smallest_zeroed(kernels, 0.2, "global")
    assert sparsity_of(list(everything.values())) == pytest.approx(0.2, abs=0.01)
    assert np.count_nonzero(everything["b"]) == everything["b"].size, "weights of one size are the last to go"
    left = np.abs(layer["a"][layer["a"] != 0])
    assert left.min() >= np.abs(kernels["a"][layer["a"] == 0]).max()


def test_two_of_four_input_channels_are_zero_and_they_are_the_smaller_ones() -> None:
    kernel = drawn(1, 1, 24, 8)
    before, groups = (one.reshape(6, 4, 8) for one in (kernel, two_of_four_zeroed({"k": kernel})["k"]))
    assert (np.count_nonzero(groups, axis=1) == 2).all()
    kept, gone = (
        np.where(groups != 0, np.abs(groups), np.inf),
        np.where(groups == 0, np.abs(before), 0),
    )
    assert (kept.min(axis=1) >= gone.max(axis=1)).all()
    odd = drawn(1, 1, 18, 8)
    np.testing.assert_array_equal(two_of_four_zeroed({"k": odd})["k"], odd)


def network(classes: int) -> keras.Model:
    """A network small enough to be trained many times: two pointwise convolutions after a strided one."""
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((64, 64, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    for name, size, stride in (("first", 3, 8), ("second", 1, 1), ("third", 1, 1)):
        x = keras.layers.Conv2D(32, size, stride, use_bias=False, name=name)(x)
        x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(x))
    return keras.Model(image, keras.layers.Dense(classes)(keras.layers.GlobalAveragePooling2D()(x)))


class Killed(Exception):
    pass


def test_a_killed_run_ends_with_the_same_exact_zeros(
    context: StepContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = PruneMagnitude(sparsity=0.75, ramp=1, epochs=2, batch=16, learning_rate=1e-2)
    before = network(context.classes)
    names = prunable(before, "pointwise")
    assert names == ("second", "third")
    through = step.run(network(context.classes), context)
    kernels = kernels_of(through.network, names)
    assert sparsity_of(list(kernels.values())) == through.figures["sparsity_of_pruned_layers"] == 0.75
    assert 0 < through.figures["sparsity"] < 0.75
    assert [epoch.phase for epoch in through.history] == ["prune-magnitude-1", "prune-magnitude", "prune-magnitude"]
    moved = np.concatenate([(kernels[name] - kernels_of(before, names)[name])[kernels[name] != 0] for name in names])
    assert np.count_nonzero(moved) > 0.9 * moved.size, "the other weights are trained"

    again = replace(context, folder=tmp_path / "killed")
    _kill_in_epoch(3, monkeypatch)
    with pytest.raises(Killed):
        step.run(network(context.classes), again)
    monkeypatch.undo()
    resumed = step.run(network(context.classes), again)
    for ours, theirs in zip(resumed.network.get_weights(), through.network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours == 0, theirs == 0)
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def _kill_in_epoch(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, begun = TrainingLoop._epoch, []

    def epoch(*arguments: object) -> object:
        begun.append(1)
        if len(begun) == number:
            raise Killed
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(TrainingLoop, "_epoch", epoch)
