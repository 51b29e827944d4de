"""The integer model: what must not change does not, what must get better does, and every number is on its grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from dermport.compression.quantisation.activation_statistics import channel_statistics
from dermport.compression.quantisation.equalise import equalised, exact_image, groups
from dermport.compression.quantisation.folding import folded
from dermport.compression.quantisation.graph import KerasGraph, weights_of
from dermport.compression.quantisation.integers import integer_network, nearest, nearest_of
from dermport.compression.quantisation.layerwise import LayerwiseRounding
from dermport.compression.quantisation.qat import QatSettings, trained
from dermport.compression.quantisation.quantise import Quantise
from dermport.compression.quantisation.ranges import activation_scales
from dermport.compression.quantisation.rounding import InputMoments, learned_codes
from dermport.compression.quantisation.sensitivity import divergence, most_sensitive, sensitivities
from dermport.compression.quantisation.stages import QuantisationMethods, QuantisationStage, stages
from dermport.compression.step import StepContext
from dermport.errors import UsageError
from dermport.exporters.integer.pattern import split
from dermport.statistics.temperature import at_temperature
from dermport.training.model.network import CLASSIFIER, DROPOUT, POOL, predict
from tests.compression.conftest import Said
from tests.factories import LABELS, SIZE
from tests.shallow import CONVOLUTIONS


@pytest.fixture(scope="module")
def template(network: Any) -> Any:
    return folded(network)


@pytest.fixture(scope="module")
def photos(drawn_parts: Any) -> np.ndarray:
    return drawn_parts.train.tensors[:16]


@pytest.fixture(scope="module")
def level(template: Any, photos: np.ndarray) -> Any:
    """The equalised network."""
    return equalised(template, photos)


# Folding


def test_folding_leaves_the_answers_and_the_names(network: Any, template: Any, photos: np.ndarray) -> None:
    wanted, found = predict(network, photos), predict(template, photos)
    assert np.abs(wanted - found).max() <= 1e-5 * max(1.0, np.abs(wanted).max())
    assert not [layer for layer in template.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {POOL, DROPOUT, CLASSIFIER, "Conv1", "block_2_add"} <= {layer.name for layer in template.layers}


def test_a_norm_that_follows_no_convolution_is_refused() -> None:
    image = keras.Input((8, 8, 3))
    with pytest.raises(UsageError, match="lonely"):
        folded(keras.Model(image, keras.layers.BatchNormalization(name="lonely")(image)))


# Equalisation


def test_equalisation_leaves_the_answers(template: Any, photos: np.ndarray) -> None:
    exact = exact_image(template)
    wanted = predict(exact, photos)
    assert np.abs(wanted - predict(equalised(exact, photos), photos)).max() < 1e-3 * np.abs(wanted).max()


def test_an_image_of_exact_codes_changes_nothing_but_the_frame(template: Any, photos: np.ndarray) -> None:
    first, second = (
        keras.Model(network.input, network.get_layer("Conv1").output).predict_on_batch(photos.astype(np.float32))
        for network in (template, exact_image(template))
    )
    assert np.abs(first - second)[:, :-1, :-1].max() < 1e-4 * np.abs(first).max()


def test_equalisation_brings_channels_to_like_ranges(template: Any, level: Any, photos: np.ndarray) -> None:
    def spread(network: Any) -> float:
        reach = channel_statistics(network, photos)["block_6_expand_relu"].high
        return float(reach.max() / np.median(reach))

    assert spread(level) < 0.9 * spread(template) or spread(template) < 1.01
    assert any(len(group.sites) > 1 for group in groups(KerasGraph.of(template)))


def test_linear_tensors_are_centred(level: Any, photos: np.ndarray) -> None:
    found = channel_statistics(level, photos)["block_2_add"]
    assert np.abs(found.mean).max() < 1e-3 * found.reach


def test_the_image_is_exact_after_equalisation(level: Any, photos: np.ndarray) -> None:
    image = photos[:1].astype(np.float32)
    scale = activation_scales(level, photos, "min-max")["scale"]
    codes = np.asarray(level.get_layer("scale")(image)) / scale
    assert np.abs(codes - (image - 128)).max() < 1e-3


# Ranges


def test_ranges_differ_as_their_rules_do(template: Any, photos: np.ndarray) -> None:
    widest, inner, least = (activation_scales(template, photos, how) for how in ("min-max", "percentile", "mse"))
    assert all(inner[site] <= widest[site] * 1.001 for site in widest)
    assert any(least[site] < 0.99 * widest[site] for site in widest)


# Rounding


def test_learned_rounding_is_the_best_of_all_ways_for_few_weights() -> None:
    random = np.random.default_rng(0)
    rows, scale = random.normal(size=(3, 4)), np.full(3, 0.3)
    inputs = random.normal(size=(500, 4)) @ random.normal(size=(4, 4))
    hessian = np.repeat((inputs.T @ inputs / 500)[None], 3, axis=0)
    codes = learned_codes(rows, scale, InputMoments(hessian, hessian))
    for channel in range(3):
        error = inputs @ (codes[channel] * scale[channel] - rows[channel])
        plain = inputs @ (np.rint(rows[channel] / scale[channel]) * scale[channel] - rows[channel])
        assert (error**2).mean() <= (plain**2).mean() * 1.001


def test_learned_rounding_of_many_weights_gains_and_moves_none_by_more_than_one() -> None:
    random = np.random.default_rng(1)
    rows, scale = random.normal(size=(5, 40)), np.full(5, 0.5)
    inputs = random.normal(size=(900, 40)) + 2 * random.normal(size=(900, 1))
    hessian = inputs.T @ inputs / 900
    exact = rows / scale[:, None]
    codes = learned_codes(rows, scale, InputMoments(hessian, hessian))
    assert (np.abs(codes - exact) < 1).all()
    errors = [(((c - exact) @ inputs.T) ** 2).mean() for c in (codes, np.rint(exact))]
    assert errors[0] < 0.3 * errors[1]


@pytest.fixture(scope="module")
def rounded_layerwise(level: Any, photos: np.ndarray) -> dict[str, np.ndarray]:
    """By method, how far a late layer's output is from float, [N, h, w, c]."""
    scales = activation_scales(level, photos, "min-max")
    sweeps = {
        "nearest": LayerwiseRounding(scales),
        "corrected": LayerwiseRounding(scales, corrected=True),
        "learned": LayerwiseRounding(scales, learned=True, corrected=True),
    }

    def output(network: Any) -> np.ndarray:
        layer = keras.Model(network.input, network.get_layer("block_13_project").output)
        return layer.predict_on_batch(photos.astype(np.float32))

    wanted = output(level)
    return {
        name: output(integer_network(level, layerwise.run(level, photos), scales)) - wanted
        for name, layerwise in sweeps.items()
    }


def test_corrected_biases_take_out_the_shift_of_the_mean(rounded_layerwise: dict[str, np.ndarray]) -> None:
    shifts = {name: np.abs(errors.mean(axis=(0, 1, 2))).mean() for name, errors in rounded_layerwise.items()}
    assert shifts["corrected"] < 0.3 * shifts["nearest"]


def test_learned_rounding_takes_out_error(rounded_layerwise: dict[str, np.ndarray]) -> None:
    errors = {name: (values**2).mean() for name, values in rounded_layerwise.items()}
    assert errors["learned"] < errors["corrected"] < errors["nearest"]


# Sensitivity


def test_sensitivity_finds_the_layer_that_is_spoilt(level: Any, photos: np.ndarray) -> None:
    scales = activation_scales(level, photos, "min-max")
    weights = nearest_of(level, scales)
    kernel, bias = weights["block_6_project"]  # which no sum goes round
    costs = sensitivities(level, {**weights, "block_6_project": (kernel * 0.5, bias)}, scales, photos[:8])
    assert max(costs, key=costs.__getitem__) == "block_6_project"
    assert most_sensitive(costs, weights, layers=1) == {"block_6_project"}
    assert most_sensitive(costs, weights, bytes_more=3 * kernel.size - 1) != {"block_6_project"}


# The step


@pytest.mark.parametrize(("exact", "largest"), [(True, {*range(123, 128)}), (False, {127})])
def test_the_step_gives_an_integer_model_of_the_same_answers(
    network: Any, context: StepContext, exact: bool, largest: set[int]
) -> None:
    outcome = Quantise(photos=16, exact=exact).run(network, context)
    names = {layer.name for layer in outcome.network.layers}
    assert {POOL, DROPOUT, CLASSIFIER} <= names
    assert outcome.figures["agreement"] >= 0.9
    assert outcome.figures["float_layers"] == 0
    stages_measured = [name for name in outcome.figures if name.startswith("agreement_")]
    assert stages_measured == [f"agreement_{name}" for name in ("nearest", "equalised", "corrected", "learned")]
    table = split(outcome.network).table
    integer = {layer.name: layer.grid for layer in table.layers if layer.kind != "Dense"}
    assert len(integer) == CONVOLUTIONS
    for grid in integer.values():
        assert grid is not None
        rows = np.moveaxis(np.abs(grid.codes.astype(int)), grid.axis, 0).reshape(len(grid.scale), -1)
        assert set(rows.max(axis=1)) <= {0, *largest}
    steps = [np.log2(scale) for scale in table.scales.values()]
    assert all(step == round(step) for step in steps) == exact


def test_a_result_answers_the_same_after_saving(network: Any, photos: np.ndarray, tmp_path: Path) -> None:
    *_, last = stages(network, photos, QuantisationMethods(equalise=True, correct_biases=True), Said())
    made = last.network()
    made.save(tmp_path / "network.keras")
    assert np.array_equal(predict(made, photos), predict(keras.saving.load_model(tmp_path / "network.keras"), photos))


def test_named_layers_stay_float(network: Any, photos: np.ndarray) -> None:
    kept = ("Conv1", "expanded_conv_depthwise")
    *_, last = stages(network, photos, QuantisationMethods(keep_float=kept, correct_biases=True), Said())
    table = split(last.network()).table
    assert {layer.name for layer in table.layers if layer.grid is None} == {*kept, CLASSIFIER}
    assert "scale" not in table.scales
    assert "Conv1_relu" not in table.scales
    assert "expanded_conv_depthwise_relu" in table.scales
    before = weights_of(folded(network))["Conv1"][0]
    assert np.array_equal(last.weights["Conv1"][0], before)


def test_a_layer_that_does_not_exist_is_named(network: Any, context: StepContext) -> None:
    with pytest.raises(UsageError, match="block_99"):
        Quantise(photos=4, keep_float=("block_99",)).run(network, context)


def test_an_integer_model_is_not_quantised_again(template: Any, photos: np.ndarray) -> None:
    scales = activation_scales(template, photos, "min-max")
    with pytest.raises(UsageError, match="no place in an integer model"):
        KerasGraph.of(integer_network(template, nearest_of(template, scales), scales))


# Quantisation-aware training


@pytest.fixture
def begun() -> QuantisationStage:
    """A network of three convolutions, to be trained quickly."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image)
    x = layers.Conv2D(8, 3, strides=4, padding="same", name="Conv1")(x)
    x = layers.ReLU(6.0, name="Conv1_relu")(x)
    x = layers.ReLU(6.0, name="depthwise_relu")(layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x))
    x = layers.Conv2D(8, 1, name="project")(x)
    pooled = layers.Dropout(0.2, name=DROPOUT)(layers.GlobalAveragePooling2D(name=POOL)(x))
    small = keras.Model(image, layers.Dense(len(LABELS), name=CLASSIFIER)(pooled))
    photos = np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3), dtype=np.uint8)
    small.get_layer(CLASSIFIER).kernel.assign(20 * small.get_layer(CLASSIFIER).kernel)  # answers that differ
    # Steps so coarse that there is something to learn.
    scales = {site: 32 * scale for site, scale in activation_scales(small, photos, "min-max").items()}
    return QuantisationStage("nearest", small, weights_of(small), scales)


def test_training_that_was_killed_ends_with_the_same_weights(
    begun: QuantisationStage, context: StepContext, tmp_path: Path
) -> None:
    training = QatSettings(epochs=3, rate=0.1, batch=32, loss="distil", augmentation="gentle")
    whole = trained(begun, training, context)

    class Killed(Said):
        def say(self, text: str) -> None:
            if "2/3" in text:
                raise KeyboardInterrupt

    folder = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        trained(begun, training, replace(context, folder=folder, progress=Killed()))
    resumed = trained(begun, training, replace(context, folder=folder))
    assert resumed.scales == pytest.approx(whole.scales, rel=1e-4)
    for name, (kernel, bias) in whole.weights.items():
        # TensorFlow's threads add gradients in any order, so that the last digits differ even between equal runs.
        near = 0.01 * np.abs(kernel - begun.weights[name][0]).max()
        assert np.abs(kernel - resumed.weights[name][0]).max() < near
        assert np.allclose(bias, resumed.weights[name][1], atol=near)


def test_training_brings_the_rounded_answers_nearer(
    begun: QuantisationStage, context: StepContext, drawn_parts: Any
) -> None:
    training = QatSettings(epochs=20, rate=0.1, batch=32, loss="distil", augmentation="gentle")
    found = trained(begun, training, context)

    def answers(network: Any) -> np.ndarray:
        return at_temperature(predict(network, drawn_parts.validation.tensors), 1.0)

    def error(weights: Any, scales: Any) -> float:
        rounded = nearest(KerasGraph.of(begun.template), weights, scales, frozenset())
        return divergence(answers(begun.template), answers(integer_network(begun.template, rounded, scales)))

    assert error(found.weights, found.scales) < 0.7 * error(begun.weights, begun.scales)


def test_a_layer_left_in_float_is_not_trained(begun: QuantisationStage, context: StepContext) -> None:
    training = QatSettings(epochs=1, rate=0.1, batch=32, loss="labels", augmentation="gentle")
    found = trained(replace(begun, floats=frozenset({"Conv1"})), training, context)
    assert np.array_equal(found.weights["Conv1"][0], begun.weights["Conv1"][0])
    assert not np.array_equal(found.weights["depthwise"][0], begun.weights["depthwise"][0])
