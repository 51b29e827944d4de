"""A network that is quick to train, with the layers that every network has."""

from __future__ import annotations

import keras

from dermport.compression.step import StepContext


def small_network(context: StepContext, seed: int, channels: int = 8, size: int = 64) -> keras.Model:
    """Return one convolution between the ends of MobileNetV2: 0..255 to logits."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((size, size, 3), name="image")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    convolved = keras.layers.Conv2D(channels, 8, strides=8, activation="relu", name="Conv1")(scaled)
    normal = keras.layers.BatchNormalization(name="bn_Conv1")(convolved)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(normal)
    dropped = keras.layers.Dropout(0.2, seed=seed, name="dropout")(pooled)
    return keras.Model(image, keras.layers.Dense(context.classes, name="classifier")(dropped))
