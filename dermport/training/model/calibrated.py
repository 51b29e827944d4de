"""The model that is saved: the trained network with its temperature and its softmax folded into the last layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.training.model.network import CLASSIFIER, POOL

if TYPE_CHECKING:
    import keras


def calibrated_model(network: keras.Model, temperature: float) -> keras.Model:
    """Return the model of a bundle: float32 [N, S, S, 3], 0..255, to calibrated probabilities float32 [N, C].

    softmax(logits / T) is the softmax of a layer with kernel / T and bias / T. One logit z of two classes becomes the
    two logits (-z/2, z/2), whose softmax is (1 - sigmoid(z), sigmoid(z)) exactly. The trunk's weights are shared.
    """
    import keras

    kernel, bias = (_two_columns(values) / temperature for values in network.get_layer(CLASSIFIER).get_weights())
    dense = keras.layers.Dense(len(bias), activation="softmax", name="probabilities")
    model = keras.Model(network.input, dense(network.get_layer(POOL).output), name="dermport")
    dense.set_weights([kernel, bias])
    model.trainable = False
    return model


def _two_columns(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return [..., C] as it is, and [..., 1] as [..., 2]."""
    return np.concatenate([-values / 2, values / 2], axis=-1) if values.shape[-1] == 1 else values
