"""An integer model in Keras: written with plain operations, read back as a float model and its integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dermport.errors import BundleError
from dermport.exporters.integer.exact import exact_scales
from dermport.exporters.integer.grid import LARGEST, bias_step, read_grid, to_grid
from dermport.exporters.integer.pattern import fake_quantised, is_integer, split

SCALE = 6 / 127


def small(*, rounded: bool = True, in_float: bool = False) -> Any:
    """Return a network of two convolutions and a skip connection, on its grid."""
    import keras

    keras.utils.set_random_seed(0)

    def stored(tensor: Any, scale: float = SCALE) -> Any:
        return fake_quantised(tensor, scale) if rounded else tensor

    image = keras.Input((8, 8, 3), name="image")
    x = stored(keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image), 1 / 127)
    x = keras.layers.ZeroPadding2D(name="pad")(x)
    x = stored(keras.layers.ReLU(6.0, name="relu")(keras.layers.Conv2D(4, 3, name="first")(x)))
    y = stored(keras.layers.Conv2D(4, 1, name="second")(x), 0.02)
    x = stored(keras.layers.Add(name="sum")([x, y]), 0.05)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax", name="probabilities")(x))
    for name, scale in (("first", 1 / 127), ("second", SCALE))[: 1 if in_float else 2]:
        kernel, bias = model.get_layer(name).get_weights()
        grid = to_grid(kernel, bias + 0.1, 3, scale)
        model.get_layer(name).set_weights([grid.kernel(), grid.bias_values(scale)])
    return model


def test_any_keras_loads_it_and_it_answers_the_same(tmp_path: Path) -> None:
    import keras

    model, photos = small(), np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert is_integer(loaded)
    np.testing.assert_array_equal(np.asarray(loaded(photos)), np.asarray(model(photos)))
    assert split(loaded).table.scales == split(model).table.scales


def test_splitting_gives_the_float_model_and_the_integers() -> None:
    model = small()
    parts = split(model)
    assert not is_integer(parts.plain)
    photos = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    unrounded = small(rounded=False)
    np.testing.assert_array_equal(np.asarray(parts.plain(photos)), np.asarray(unrounded(photos)))
    assert np.abs(np.asarray(parts.plain(photos)) - np.asarray(model(photos))).max() > 0
    table = parts.table
    assert list(table.scales) == ["scale", "relu", "second", "sum"]
    assert [(layer.name, layer.input, layer.output) for layer in table.layers] == [
        ("first", "scale", "relu"),
        ("second", "relu", "second"),
        ("probabilities", "pool", "probabilities"),
    ]
    assert [layer.grid is not None for layer in table.layers] == [True, True, False]
    for layer in table.layers[:2]:
        assert layer.grid is not None
        np.testing.assert_array_equal(layer.grid.kernel(), layer.kernel)
        assert (np.abs(layer.grid.codes).max(axis=(0, 1, 2)) == 127).all()
    [total] = table.sums
    assert total.integer
    assert set(total.inputs) == {"relu", "second"}


def test_a_layer_off_the_grid_stays_in_float() -> None:
    table = split(small(in_float=True)).table
    assert [layer.grid is not None for layer in table.layers] == [True, False, False]
    assert table.sums[0].integer


def test_a_weight_that_left_its_grid_is_refused() -> None:
    model = small()
    kernel, bias = model.get_layer("first").get_weights()
    kernel[0, 0, 0, 0] *= 0.97
    model.get_layer("first").set_weights([kernel, bias])
    with pytest.raises(BundleError, match=r"99\.1% of the weights and biases of the layer first"):
        split(model)


def test_a_model_without_rounding_is_no_integer_model() -> None:
    with pytest.raises(BundleError, match="nothing in it is rounded"):
        split(small(rounded=False))


def _model_of(body: Any) -> Any:
    import keras

    image = keras.Input((8, 8, 3), name="image")
    return keras.Model(image, body(image))


def test_rounding_that_is_no_whole_chain_is_refused() -> None:
    from keras import ops

    model = _model_of(lambda x: ops.clip(ops.round(x / 0.1), -127, 127) * 0.1)
    with pytest.raises(BundleError, match="no whole chain"):
        split(model)
    with pytest.raises(BundleError, match="no whole chain"):
        split(_model_of(lambda x: ops.clip(ops.round(x / 0.1), -128, 127) * 0.2))


def test_a_tensor_read_rounded_and_unrounded_is_refused() -> None:
    import keras

    model = _model_of(lambda x: keras.layers.Add(name="sum")([fake_quantised(x, 0.1), x]))
    with pytest.raises(BundleError, match="sum reads image unrounded"):
        split(model)


def test_rounding_that_no_integer_layer_knows_is_refused() -> None:
    import keras

    model = _model_of(lambda x: keras.layers.Conv2D(2, 1, name="c")(fake_quantised(x, 0.1)))
    with pytest.raises(BundleError, match="neither read nor written by an integer layer: image"):
        split(model)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("bits", LARGEST)
def test_weights_on_their_grid_are_read_back_exactly(bits: int, exact: bool) -> None:
    random = np.random.default_rng(bits)
    sizes = random.uniform(1e-3, 50, (400, 1)).astype(np.float32)
    kernel = random.normal(size=(3, 3, 400, 1)).astype(np.float32) * sizes
    bias = random.normal(size=400).astype(np.float32)
    grid = to_grid(kernel, bias, 2, 0.05, bits, exact=exact)
    found, share = read_grid(grid.kernel(), grid.bias_values(0.05), 2, 0.05)
    assert share == 1
    assert found is not None
    assert found.bits == bits
    np.testing.assert_array_equal(found.codes, grid.codes)
    np.testing.assert_array_equal(found.bias, grid.bias)
    np.testing.assert_allclose(found.scale, grid.scale, rtol=1e-6)
    assert np.abs(grid.kernel() - kernel).max(axis=(0, 1, 3)) == pytest.approx(0, abs=1.01 * float(grid.scale.max()))


def test_exact_scales_are_powers_of_two_and_one_along_a_chain() -> None:
    scales = {"a": 0.3, "b": 0.1, "ab": 0.4, "c": 0.9, "abc": 0.2, "relu": 6 / 127, "d": 0.01}
    found = exact_scales(scales, [("ab", "a", "b"), ("abc", "ab", "c")])
    assert {found[name] for name in ("a", "b", "ab", "c", "abc")} == {1.0}
    assert (found["relu"], found["d"]) == (2**-4, 2**-6)


def test_channels_of_next_to_no_weight_keep_their_bias() -> None:
    """Batch normalisation folds some of MobileNetV2's channels to nothing; their constant is all that they say."""
    kernel = np.ones((1, 1, 4, 3), np.float32) * np.array([0, 1e-9, 1], np.float32)
    bias = np.array([2.5, -2.5, 0.1], np.float32)
    grid = to_grid(kernel, bias, 3, 0.05)
    np.testing.assert_allclose(grid.bias_values(0.05), bias, atol=float(bias_step(grid.scale, 0.05).max()))
    assert np.abs(grid.bias.astype(np.int64)).max() <= 2**26
    assert np.abs(grid.kernel()[..., :2]).max() < 1e-4
    found, _ = read_grid(grid.kernel(), grid.bias_values(0.05), 3, 0.05)
    assert found is not None
    np.testing.assert_array_equal(found.codes, grid.codes)
    np.testing.assert_array_equal(found.bias, grid.bias)
