"""The parts that a training is made of: augmentation, class weights, the feature cache, the fold."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dermport.errors import DataError, UsageError
from dermport.training import features as features_module
from dermport.training.augment import PUBLISHED, Augmentation, affine_maps, augment
from dermport.training.features import FeatureCache, Features, PhotoSource
from dermport.training.golden import choose_calibration, choose_golden
from dermport.training.model.network import (
    build_network,
    calibrated_model,
    class_logits,
    head_of,
    predict,
    tail_of,
    trunk_of,
)
from dermport.training.model.weights import load_trunk
from dermport.training.phases.loop import class_weights, steps_per_epoch
from dermport.training.phases.recipes import last_four_phase
from dermport.training.recipe import TrainingRecipe
from dermport.training.run import open_run

SIZE = 64
TINY = TrainingRecipe(weights="none", alpha=0.35, size=SIZE, fine_tune="all")


@pytest.fixture(scope="module")
def network(photos: np.ndarray) -> Any:
    """A random network whose batch normalisation has the photos' statistics, so that signal comes through."""
    network = build_network(TINY, 7)
    norms = [layer for layer in network.layers if hasattr(layer, "moving_mean")]
    for layer in norms:
        layer.momentum = 0.0
    network(photos.astype(np.float32), training=True)
    return network


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)


# Augmentation


def test_no_augmentation_changes_nothing(photos: np.ndarray) -> None:
    still = Augmentation(rotation=0, zoom=0, shift=0, flips=False)
    np.testing.assert_allclose(augment(photos, still, np.random.default_rng(1)), photos, atol=1e-3)


def test_flips_are_exactly_the_four_mirrorings(photos: np.ndarray) -> None:
    flips = Augmentation(rotation=0, zoom=0, shift=0, flips=True)
    many = np.repeat(photos[:1], 64, axis=0)
    results = np.rint(augment(many, flips, np.random.default_rng(1))).astype(np.uint8)
    mirrored = [photos[0][::y, ::x] for y in (1, -1) for x in (1, -1)]
    found = {next(i for i, one in enumerate(mirrored) if np.array_equal(one, result)) for result in results}
    assert found == set(range(4))


def test_the_published_amounts_are_kept_and_used() -> None:
    maps = affine_maps(2000, 100, PUBLISHED, np.random.default_rng(0)).reshape(-1, 8)
    scale = np.hypot(maps[:, 0], maps[:, 1])
    angle = np.rad2deg(np.arctan2(maps[:, 1], maps[:, 0]))
    tilt = np.abs((angle + 90) % 180 - 90)
    middle = maps[:, :2].sum(axis=1) * 49.5 + maps[:, 2] - 49.5
    for values, amount in ((np.abs(scale - 1), 0.1), (tilt, 10.0), (np.abs(middle), 15.0)):
        assert amount * 0.97 < values.max() <= amount * 1.001
    assert {-1, 1} == set(np.sign(np.linalg.det(maps[:, [0, 1, 3, 4]].reshape(-1, 2, 2))))


def test_colour_changes_stay_in_range_and_depend_on_the_seed(photos: np.ndarray) -> None:
    colour = Augmentation(rotation=0, zoom=0, shift=0, flips=False, contrast=0.3, colour=0.3)
    one, same, other = (augment(photos, colour, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert np.abs(one - other).mean() > 5
    assert one.min() >= 0
    assert one.max() <= 255


# Class weights, splits into steps, choice of photos


@pytest.mark.parametrize(("balance", "ratio"), [("none", 1.0), ("sqrt", 3.0), ("full", 9.0)])
def test_class_weights_have_mean_one_over_the_photos(balance: str, ratio: float) -> None:
    targets = np.repeat([0, 1], [90, 10])
    weights = class_weights(targets, 2, balance)
    assert weights[1] / weights[0] == pytest.approx(ratio)
    assert weights[targets].mean() == pytest.approx(1.0)


def test_an_epoch_has_full_batches_only_but_at_least_one() -> None:
    assert [steps_per_epoch(photos, 32) for photos in (5, 32, 95, 96)] == [1, 1, 2, 3]


def test_the_golden_set_has_every_label_and_is_repeatable() -> None:
    truth = np.repeat(np.arange(7), [900, 3, 40, 1, 60, 5, 70])
    sure = np.eye(7)[truth]
    chosen = choose_golden(truth, sure, seed=4)
    assert len(chosen) == len(set(chosen)) == 24
    assert np.bincount(truth[chosen]).tolist() == [4, 3, 4, 1, 4, 4, 4]
    assert np.array_equal(chosen, choose_golden(truth, sure, seed=4))
    assert len(choose_golden(truth[-10:], sure[-10:], seed=4)) == 10


def test_the_golden_set_avoids_photos_that_any_rounding_flips() -> None:
    truth = np.repeat([0, 1], [200, 3])
    answers = np.tile([0.52, 0.48], (203, 1))
    answers[::10] = [0.3, 0.7]
    answers[-3:] = [0.5, 0.5]
    chosen = choose_golden(truth, answers, seed=0)
    assert set(chosen[:-3]) >= set(range(0, 200, 10))  # all that are clear come first
    assert chosen[-3:].tolist() == [200, 201, 202]  # and a label without any is still there


def test_calibration_photos_are_distinct() -> None:
    assert len(set(choose_calibration(1000, 0).tolist())) == 200
    assert choose_calibration(50, 0).tolist() == list(range(50))


# The network and its ends


def test_head_and_tail_are_the_network_itself(network: Any, photos: np.ndarray) -> None:
    whole = predict(network, photos)
    activations, pooled = trunk_of(network).predict_on_batch(photos.astype(np.float32))
    np.testing.assert_allclose(predict(head_of(network), pooled), whole, atol=1e-5)
    np.testing.assert_allclose(predict(tail_of(network), activations), whole, atol=1e-5)


def test_only_the_last_four_layers_and_the_classifier_are_trained_in_the_tail(network: Any) -> None:
    owners = {variable.path.split("/")[-2] for variable in tail_of(network).trainable_variables}
    assert owners == {"block_16_project_BN", "Conv_1", "Conv_1_bn", "classifier"}


def test_the_tail_trains_by_the_stored_statistics_and_leaves_them_as_they_are(network: Any, photos: np.ndarray) -> None:
    """In a functional graph `fit` overrules ``layer(x, training=False)``: the batch's own statistics were used."""
    recipe = replace(TINY, fine_tune="last4", weights="file", dropout=0.0)
    network = calm_copy(network)
    activations, pooled = trunk_of(network).predict_on_batch(photos.astype(np.float32))
    features = Features(activations=activations, pooled=pooled)
    phase = last_four_phase(network, recipe, [features], features)
    norms = [layer for layer in network.layers if hasattr(layer, "moving_mean")]
    before = [(norm.moving_mean.numpy(), norm.moving_variance.numpy()) for norm in norms]
    scales = [norm.gamma.numpy() for norm in norms[-2:]]

    apart = [np.asarray(phase.model(activations.astype(np.float32), training=training)) for training in (False, True)]
    np.testing.assert_array_equal(*apart)
    phase.model.fit(activations.astype(np.float32), np.eye(7, dtype=np.float32)[: len(photos)], epochs=2, verbose=0)
    phase.model.train_on_batch(activations.astype(np.float32), np.eye(7, dtype=np.float32)[: len(photos)])

    for norm, (mean, variance) in zip(norms, before, strict=True):
        np.testing.assert_array_equal(norm.moving_mean.numpy(), mean)
        np.testing.assert_array_equal(norm.moving_variance.numpy(), variance)
    for norm, scale in zip(norms[-2:], scales, strict=True):
        assert not np.array_equal(norm.gamma.numpy(), scale)


def calm_copy(network: Any) -> Any:
    """A copy without dropout, so that training differs from inference by batch normalisation alone."""
    copy = build_network(replace(TINY, dropout=0.0), 7)
    copy.set_weights(network.get_weights())
    return copy


@pytest.mark.parametrize("classes", [2, 7])
def test_the_fold_is_exact(classes: int, photos: np.ndarray) -> None:
    network = build_network(TINY, classes)
    network.get_layer("classifier").set_weights(
        [value + 0.3 for value in network.get_layer("classifier").get_weights()]
    )
    logits = predict(network, photos).astype(np.float64)
    answers = predict(calibrated_model(network, 1.7), photos)
    if classes == 2:
        second = 1 / (1 + np.exp(-logits[:, 0] / 1.7))
        expected = np.stack([1 - second, second], axis=1)
    else:
        expected = np.exp(logits / 1.7) / np.exp(logits / 1.7).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answers, expected, atol=2e-6)
    assert class_logits(logits.astype(np.float32)).shape == (5, classes)


def test_a_weights_file_gives_its_weights(tmp_path: Path) -> None:
    import keras

    source = keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, include_top=False, weights=None)
    source.save_weights(tmp_path / "trunk.weights.h5")
    network = build_network(replace(TINY, weights=str(tmp_path / "trunk.weights.h5")), 7)
    assert np.array_equal(network.get_layer("Conv_1").get_weights()[0], source.get_layer("Conv_1").get_weights()[0])
    with pytest.raises(
        DataError, match=r"trunk\.weights\.h5 does not fit MobileNetV2 with alpha 0\.5(.|\n)*Name the alpha"
    ):
        build_network(replace(TINY, weights=str(tmp_path / "trunk.weights.h5"), alpha=0.5), 7)


def test_imagenet_weights_without_a_network_name_the_remedy(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(DataError, match=r"no route to host(.|\n)*weights FILE"):
        load_trunk(network, "imagenet", 0.35, 96)
    with pytest.raises(DataError, match=r"alpha 0\.6"):
        load_trunk(network, "imagenet", 0.6, 96)


# The feature cache


def _source(photos: np.ndarray, calls: list[int], **key: Any) -> PhotoSource:
    def tensors() -> np.ndarray:
        calls.append(len(photos))
        return photos

    return PhotoSource({"photos": "abc", **key}, len(photos), tensors)


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    def update(done: int, total: int) -> None:
        assert 0 < done <= total

    yield update


def test_features_are_the_trunks_and_are_computed_once(network: Any, photos: np.ndarray, tmp_path: Path) -> None:
    trunk, calls = trunk_of(network), list[int]()
    features = FeatureCache(tmp_path, trunk, seed=0).view(_source(photos, calls), 0, _bar)
    activations, pooled = trunk.predict_on_batch(photos.astype(np.float32))
    np.testing.assert_allclose(features.pooled, pooled, atol=1e-6)
    np.testing.assert_allclose(features.activations, activations, rtol=2e-3, atol=2e-3)
    again = FeatureCache(tmp_path, trunk, seed=0).view(_source(photos, calls), 0, _bar)
    assert calls == [5]
    assert isinstance(again.pooled, np.memmap)
    assert not again.pooled.flags.writeable


def test_features_are_computed_anew_when_anything_changes(network: Any, photos: np.ndarray, tmp_path: Path) -> None:
    trunk, calls = trunk_of(network), list[int]()
    plain = FeatureCache(tmp_path, trunk, 0).view(_source(photos, calls), 0, _bar)
    FeatureCache(tmp_path, trunk, 1).view(_source(photos, calls), 0, _bar)
    assert len(calls) == 1, "view 0 has no randomness: the seed does not matter"
    first = FeatureCache(tmp_path, trunk, 0).view(_source(photos, calls), 1, _bar)
    other = FeatureCache(tmp_path, trunk, 1).view(_source(photos, calls), 1, _bar)
    FeatureCache(tmp_path, trunk, 1, Augmentation(rotation=5)).view(_source(photos, calls), 1, _bar)
    FeatureCache(tmp_path, trunk, 1).view(_source(photos, calls, split="another"), 1, _bar)
    assert len(calls) == 5
    assert not np.allclose(first.pooled, plain.pooled)
    assert not np.allclose(first.pooled, other.pooled)
    network.get_layer("Conv_1").set_weights([value * 1.5 for value in network.get_layer("Conv_1").get_weights()])
    FeatureCache(tmp_path, trunk, 0).view(_source(photos, calls), 0, _bar)
    assert len(calls) == 6


def test_old_features_and_old_remains_are_removed(
    network: Any, photos: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features_module, "_KEPT", 2)
    cache, calls = FeatureCache(tmp_path, trunk_of(network), 0), list[int]()
    for age, name in ((90_000, ".old.part"), (10, ".new.part")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    for view in (0, 1, 2):
        cache.view(_source(photos, calls), view, _bar)
    cache.view(_source(photos, calls), 2, _bar)
    assert len(calls) == 3
    assert len(list(tmp_path.glob("*/key.json"))) == 2
    assert [path.name for path in tmp_path.glob(".*")] == [".new.part"]


def test_a_pass_that_was_stopped_leaves_no_features(network: Any, photos: np.ndarray, tmp_path: Path) -> None:
    @contextlib.contextmanager
    def stop() -> Iterator[Callable[[int, int], None]]:
        yield interrupt

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    cache = FeatureCache(tmp_path, trunk_of(network), 0)
    with pytest.raises(KeyboardInterrupt):
        cache.view(_source(photos, []), 0, stop)
    assert not list(tmp_path.iterdir())


# What is refused


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 8}, "size cannot be meant: 8 is out of range .32 to 1024 pixels."),
        ({"batch": 1}, "batch cannot"),
        ({"views": 0}, "views cannot"),
        ({"learning_rate": 0.0}, "learning_rate cannot"),
        ({"fine_tune": "last4"}, "Add fine_tune all"),
        ({"balance": "half"}, "balance cannot be meant: 'half' is none of none, sqrt, full"),
        ({"fine_tune_epochs": 0}, "Nothing would be trained"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        replace(TINY, **changes)


def test_a_run_goes_on_only_with_what_it_was_asked(tmp_path: Path) -> None:
    out = tmp_path / "model"
    assert not open_run(out, {"recipe": {"seed": 0, "batch": 32}, "dataset": "a"}).resumed
    assert open_run(out, {"recipe": {"seed": 0, "batch": 32}, "dataset": "a"}).resumed
    with pytest.raises(UsageError, match=r"recipe\.batch \(32 then, 16 now\)(.|\n)*rm -r .*\.model\.run"):
        open_run(out, {"recipe": {"seed": 0, "batch": 16}, "dataset": "a"})


def test_mixup_is_the_recipes_or_that_of_its_start() -> None:
    assert TrainingRecipe("x", fine_tune="all").blending == 0.2
    assert TrainingRecipe("none", fine_tune="all").blending == 0
    assert TrainingRecipe("none", fine_tune="all", mixup=0.5).blending == 0.5
    assert "mixup" not in TrainingRecipe().to_json()
    with pytest.raises(UsageError, match="mixup"):
        TrainingRecipe("x", mixup=-1)
