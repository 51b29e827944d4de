"""A network's twin learns what the network would, and is saved as the network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dermport.training.phases.recipes import all_phase
from dermport.training.phases.twin import trained_in_place_of
from dermport.training.recipe import TrainingRecipe

PLAIN = TrainingRecipe(weights="none", size=32, fine_tune="all", fine_tune_epochs=1)
PHOTOS = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)


def _network() -> Any:
    """Return a small network with the layers' names and kinds of the real one."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image)
    x = layers.Conv2D(8, 3, use_bias=False, name="Conv_1")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(name="Conv_1_bn")(x))
    return keras.Model(image, layers.Dense(7, name="classifier")(layers.GlobalAveragePooling2D()(x)))


def _stepped(recipe: TrainingRecipe) -> tuple[float, list[np.ndarray], Any]:
    """Return the loss of a step from the same weights, the network's weights after it, and the twin."""
    network = _network()
    with trained_in_place_of(network, **recipe.computed) as trained:
        phase = all_phase(trained, recipe, PHOTOS, PHOTOS)
        x, y = PHOTOS.astype(np.float32), np.eye(7, dtype=np.float32)[np.arange(16) % 7]
        loss = phase.model.train_on_batch(x, y, return_dict=True)["loss"]
    return float(loss), network.get_weights(), trained


@pytest.fixture(scope="module")
def plain() -> tuple[float, list[np.ndarray]]:
    return _stepped(PLAIN)[:2]


def test_fused_normalisation_gives_the_same_step_but_for_rounding(plain: tuple[float, list[np.ndarray]]) -> None:
    import keras

    loss, weights, twin = _stepped(replace(PLAIN, fused_norm=True))
    assert loss == pytest.approx(plain[0], rel=1e-4)
    norms = [layer for layer in twin.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {type(layer).__name__ for layer in norms} == {"FusedBatchNormalization"}
    names = [variable.path.split("/")[-1] for variable in twin.weights]
    for name, mine, theirs in zip(names, weights, plain[1], strict=True):
        if name.startswith("moving"):  # Adam's first step has the gradient's sign, which rounding turns near zero
            np.testing.assert_allclose(mine, theirs, rtol=2e-3, atol=1e-4)


def test_a_run_begun_before_these_options_came_can_go_on() -> None:
    assert not {"fused_norm", "distribute", "mixup"} & set(PLAIN.to_json())
    assert replace(PLAIN, fused_norm=True).to_json()["fused_norm"] is True
