"""Class activation maps: what they are, against Keras' gradients, and the second output of every artifact."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.parity import compare_maps
from dermport.bundle.policy import read_policy
from dermport.bundle.store import Bundle
from dermport.errors import BundleError
from dermport.exporters.contract import PrecisionRecipe, Target
from dermport.exporters.key import key_of
from dermport.exporters.maps import SETTING, keras_maps, named_outputs, with_map
from dermport.exporters.matrix import export_matrix, with_maps
from dermport.exporters.registry import TARGETS, select
from dermport.exporters.source import load_model
from dermport.exporters.tflite.graph import TFLiteGraph
from dermport.exporters.verify import golden_reference, verify
from dermport.runtimes.base import ACTIVATION_MAP
from tests.conftest import made_once

# palette4 of Core ML is compressed as its int8 is, at several times the cost.
_PRECISIONS = ["fp32", "fp16", "int8", "int8-full", "int8-cpu"]
SELECTION = with_maps(select(None, _PRECISIONS))
MATRIX = [(target, recipe) for target, recipes in SELECTION for recipe in recipes]
EVERY = pytest.mark.parametrize(
    ("target", "recipe"), MATRIX, ids=[f"{target.capabilities.name}-{recipe.precision}" for target, recipe in MATRIX]
)
_FULL_STEP = 0.005  # of a uint8 probability, and a little


@pytest.fixture(scope="session")
def mapped(shared_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny bundle, every artifact with its map; not to be changed but by `verify`."""

    def make(path: Path) -> None:
        shutil.copytree(shared_bundle.path, path)
        export_matrix(Bundle.open(path), SELECTION, jobs=1)

    return made_once(tmp_path_factory, "mapped", make)


def softmax_of_mean(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(maps.mean(axis=(1, 2)))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def test_mean_of_the_map_is_the_logits(shared_bundle: Bundle) -> None:
    model, golden = load_model(shared_bundle), shared_bundle.golden()
    image = golden.tensors.astype(np.float32)
    answers = named_outputs(with_map(model), image)
    np.testing.assert_allclose(answers["probabilities"], golden.probabilities, atol=1e-5)
    maps = keras_maps(model, golden.tensors)
    assert maps.shape == (len(image), 2, 2, 4)
    np.testing.assert_allclose(softmax_of_mean(maps), golden.probabilities, atol=1e-5)
    assert with_map(model).count_params() == model.count_params()


def test_map_is_the_gradients(shared_bundle: Bundle) -> None:
    """Grad-CAM before its relu, by Keras' own gradients: Σ_k mean(∂y_c / ∂F_k) · F_k, of which the map is hw times."""
    import keras
    import tensorflow as tf

    mapped = with_map(load_model(shared_bundle))
    grid = mapped.get_layer(ACTIVATION_MAP)
    features = keras.Model(mapped.input, grid.input)(shared_bundle.golden().tensors[:4].astype(np.float32))
    kernel, bias = grid.get_weights()
    maps = keras_maps(mapped, shared_bundle.golden().tensors[:4])
    cells = maps.shape[1] * maps.shape[2]
    for label in range(maps.shape[-1]):
        with tf.GradientTape() as tape:
            tape.watch(features)
            logit = (tf.reduce_mean(features, axis=(1, 2)) @ kernel[0, 0] + bias)[:, label]
        weights = tf.reduce_mean(tape.gradient(logit, features), axis=(1, 2), keepdims=True)
        gradient_map = np.asarray(tf.reduce_sum(weights * features, axis=-1))
        np.testing.assert_allclose(maps[..., label], cells * gradient_map + bias[label], rtol=1e-4, atol=1e-4)


def test_gradients_through_the_whole_model_agree(shared_bundle: Bundle) -> None:
    """∂logit/∂map is 1 / cells everywhere: nothing but the mean lies between the two outputs."""
    import keras
    import tensorflow as tf

    mapped = with_map(load_model(shared_bundle))
    tail = keras.Model(mapped.get_layer(ACTIVATION_MAP).output, mapped.get_layer("logits").output)
    maps = tf.constant(keras_maps(mapped, shared_bundle.golden().tensors[:2]))
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logits = tail(maps)[:, 1]
    gradient = np.asarray(tape.gradient(logits, maps))
    np.testing.assert_allclose(gradient[..., 1], 1 / 4, rtol=1e-6)
    assert not gradient[..., 0].any()


def test_a_model_without_pooling_or_softmax_has_no_map() -> None:
    import keras

    image = keras.Input((4, 4, 3))
    flat = keras.Model(image, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(image)))
    with pytest.raises(BundleError, match="no pooling"):
        with_map(flat)
    with pytest.raises(BundleError, match="no dense layer"):
        with_map(keras.Model(image, keras.layers.GlobalAveragePooling2D()(image)))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    with pytest.raises(BundleError, match="ends in sigmoid, no softmax"):
        with_map(keras.Model(image, keras.layers.Dense(2, activation="sigmoid")(pooled)))


def test_microcontrollers_get_no_map() -> None:
    [(_, recipes)] = with_maps(select(["microcontroller"], ["int8"]))
    assert not any(SETTING in recipe.settings for recipe in recipes)
    assert all(SETTING in recipe.settings for target, recipe in MATRIX if target.capabilities.maps)


@EVERY
def test_record_names_the_map(target: Target, recipe: PrecisionRecipe, mapped: Bundle) -> None:
    record = mapped.export(target.capabilities.name, recipe.precision).record
    first, second = record.outputs
    assert (second.name, second.shape[1:], second.dtype) == (ACTIVATION_MAP, (2, 2, 4), "float32")
    assert first.shape[1:] == (4,)
    assert record.recipe[SETTING] is True


@EVERY
def test_first_output_is_the_same_and_follows_from_the_map(
    target: Target, recipe: PrecisionRecipe, mapped: Bundle, shared_exports: Bundle
) -> None:
    name, photos = (target.capabilities.name, recipe.precision), shared_exports.golden().tensors[:8]
    with target.execution(shared_exports.export(*name).path).runtime as runtime:
        before, nothing = runtime.predict_with_maps(photos)
    with target.execution(mapped.export(*name).path).runtime as runtime:
        after, maps = runtime.predict_with_maps(photos)
        np.testing.assert_array_equal(runtime.predict(photos), after)
    assert nothing is None
    assert maps is not None
    assert maps.dtype == np.float32
    assert maps.shape == (8, 2, 2, 4)
    half = 5e-3 if recipe.precision == "fp16" else 1e-3  # float16 of TensorRT's kit rounds cells, mean and softmax
    np.testing.assert_allclose(
        softmax_of_mean(maps), after, atol=max(half, _FULL_STEP * recipe.precision.endswith("full"))
    )
    bound = {"fp32": 1e-5, "fp16": 0.02}.get(recipe.precision, 0.5)
    assert np.abs(after - before).max() < bound
    assert np.abs(after - before).mean() < bound / 5


@EVERY
def test_maps_are_held_against_keras(target: Target, recipe: PrecisionRecipe, mapped: Bundle) -> None:
    export = mapped.export(target.capabilities.name, recipe.precision)
    parity = verify(mapped, export, golden_reference(mapped), read_policy())
    assert parity.status in {"pass", "warn"}, parity.reasons
    assert parity.maps is not None
    assert parity.maps.max_change < {"fp32": 1e-4, "fp16": 0.05}.get(recipe.precision, 1.0)


@pytest.mark.parametrize("name", ["onnx", "tflite"])
def test_a_wrong_map_fails(name: str, mapped: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and columns that are exchanged leave the probabilities right, and are what only this check can find."""
    shutil.copytree(mapped.path, tmp_path / "tiny")
    bundle, target = Bundle.open(tmp_path / "tiny"), TARGETS[name]
    reference = golden_reference(bundle)
    assert reference.maps is not None
    turned = reference.maps().transpose(0, 2, 1, 3)
    parity = verify(bundle, bundle.export(name, "fp32"), replace(reference, maps=lambda: turned), read_policy())
    assert parity.status == "fail"
    assert "of its range" in parity.reasons[0]
    assert target.capabilities.maps


def test_the_option_decides_what_is_unchanged(mapped: Bundle) -> None:
    plain = select(["onnx"], ["fp32"])
    [outcome] = export_matrix(mapped, with_maps(plain))
    assert not outcome.fresh
    [(target, [recipe])] = plain
    assert outcome.export.record.key != key_of(mapped, target, recipe)


def test_figures_of_maps() -> None:
    original = np.zeros((2, 2, 2, 3), np.float32)
    original[:, 0, 0, 1], original[:, 1, 1, 2] = 4.0, -4.0
    artifact = original.copy()
    artifact[1, 0, 1, 1] = 6.0
    figures = compare_maps(original, artifact, np.array([1, 1]))
    assert (figures.max_change, figures.cell_agreement) == (0.75, 0.5)
    artifact[0, 0, 0, 0] = np.nan
    assert compare_maps(original, artifact, np.array([1, 1])).max_change == 1.0


def test_metadata_tells_of_the_map(mapped: Bundle) -> None:
    from dermport.runtimes.tflite_metadata import read_labels, read_metadata

    path = mapped.export("tflite", "int8-full").artifact
    outputs = read_metadata(path)["subgraph_metadata"][0]["output_tensor_metadata"]
    assert [output["name"] for output in outputs] == ["probabilities", ACTIVATION_MAP]
    assert read_labels(path) == mapped.manifest.task.ids
    graph = TFLiteGraph(path.read_bytes())
    assert graph.tensor(graph.ends[1]).quantization.scale == pytest.approx(1 / 256, rel=1e-5), "as browsers read it"
    [signature] = graph.model.signatureDefs
    assert [output.name for output in signature.outputs] == [b"probabilities", ACTIVATION_MAP.encode()]
