"""Every family of networks can be followed, narrowed and folded, or the layer that is in the way is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dermport.compression.network import from_model
from dermport.compression.pruning.channel_groups import channel_groups
from dermport.compression.pruning.masks import kernels_of, prunable, set_kernels
from dermport.compression.pruning.surgery import narrowed
from dermport.compression.quantisation.folding import folded
from dermport.compression.quantisation.graph import KerasGraph
from dermport.errors import BundleError, UsageError
from dermport.exporters.maps import keras_maps
from tests.factories import draw_set, tensors_of
from tests.zoo import ZOO, network

pytestmark = pytest.mark.usefixtures("eagerly")
PHOTOS, TRUTH = draw_set(4)
TENSORS = tensors_of(PHOTOS)
IN_THE_WAY = {
    ("squeezenet", "channels"): r"followed through the layer 'concatenate' \(Concatenate\)",
    ("squeezenet", "integer"): r"max_pooling2d \(MaxPooling2D\) has no place in an integer model",
    ("plain-cnn", "integer"): r"max_pooling2d \(MaxPooling2D\) has no place",
    ("plain-cnn", "maps"): "has dense, no pooling",
    ("mobilenet-v3", "integer"): r"activation \(Activation\) has no place",
    ("efficientnet", "integer"): r"normalization \(Normalization\) has no place",
}


@pytest.fixture(scope="module", params=[name for name in ZOO if name != "thousand-classes"])
def case(request: pytest.FixtureRequest) -> tuple[str, Any, Any]:
    import keras

    keras.utils.clear_session()  # the names in messages count from the first
    model = network(request.param, TENSORS, TRUTH % 2 if request.param == "one-sigmoid" else TRUTH)
    return request.param, model, from_model(model)


def _logits(model: Any) -> Any:
    return np.asarray(model(TENSORS.astype(np.float32), training=False))


def _refused(name: str, what: str, attempt: Any) -> bool:
    if reason := IN_THE_WAY.get((name, what)):
        with pytest.raises((UsageError, BundleError), match=reason):
            attempt()
    return bool(reason)


def test_the_network_answers_as_its_model(case: tuple[str, Any, Any]) -> None:
    _, model, flat = case
    logits = _logits(flat)
    wide = np.concatenate([-logits / 2, logits / 2], axis=1) if logits.shape[1] == 1 else logits
    softmax = np.exp(wide) / np.exp(wide).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax, _logits(model), atol=1e-5)


def test_channels_whose_readers_are_silent_may_go(case: tuple[str, Any, Any]) -> None:
    name, model, flat = case
    if _refused(name, "channels", lambda: channel_groups(flat)):
        return
    silent = from_model(model)
    groups = [group for group in channel_groups(silent) if group.hidden]
    kept = {group.name: np.arange(0, group.width, 2) for group in groups}
    for group in groups:
        gone = np.arange(1, group.width, 2)
        for reader in group.readers:
            layer = silent.get_layer(reader)
            kernel, *bias = layer.get_weights()
            places = np.arange(group.places.get(reader, 1))[:, None] * group.width
            kernel[..., (places + gone).ravel(), :] = 0
            layer.set_weights([kernel, *bias])
    smaller = narrowed(silent, groups, kept)
    assert smaller.count_params() < silent.count_params()
    np.testing.assert_allclose(_logits(smaller), _logits(silent), atol=2e-4)


def test_weights_may_become_zero(case: tuple[str, Any, Any]) -> None:
    _, model, _ = case
    network = from_model(model)
    names = prunable(network, "pointwise")
    set_kernels(network, {name: 0 * kernel for name, kernel in kernels_of(network, names).items()})
    assert names
    assert np.isfinite(_logits(network)).all()


def test_it_folds_and_what_no_integer_model_knows_is_named(case: tuple[str, Any, Any]) -> None:
    name, _, flat = case
    plain = folded(flat)
    np.testing.assert_allclose(_logits(plain), _logits(flat), atol=1e-4)
    if not _refused(name, "integer", lambda: KerasGraph.of(plain)):
        assert KerasGraph.of(plain).sites


def test_maps_are_of_what_is_pooled(case: tuple[str, Any, Any]) -> None:
    name, model, _ = case
    if not _refused(name, "maps", lambda: keras_maps(model, TENSORS[:1])):
        assert keras_maps(model, TENSORS[:1]).shape[-1] == model.output.shape[-1]


def test_a_layer_that_is_used_twice_and_a_model_without_softmax_are_refused() -> None:
    import keras

    image = keras.Input((32, 32, 3))
    twice = keras.layers.Conv2D(3, 3, padding="same", name="again")
    pooled = keras.layers.GlobalAveragePooling2D()(twice(twice(image)))
    answer = keras.layers.Dense(2, activation="softmax")(pooled)
    with pytest.raises(UsageError, match="layer again is used in two places"):
        from_model(keras.Model(image, answer))
    with pytest.raises(BundleError, match="no softmax"):
        from_model(keras.Model(image, keras.layers.GlobalAveragePooling2D()(image)))
