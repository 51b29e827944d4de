"""A network's twin, which trains faster: the same layers, names and weights, computed another way.

What is saved, scored and exported stays the network: the twin's weights are copied back when its phase is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from dermport.errors import UsageError
from dermport.training.phases.mirrored import check_devices, scope, sharded
from dermport.training.recipe import Distribute, TrainingRecipe

if TYPE_CHECKING:
    import keras


@contextmanager
def trained_in_place_of(
    network: keras.Model, *, fused_norm: bool = False, distribute: Distribute = "none"
) -> Iterator[keras.Model]:
    """Yield what is to be trained, the network itself or its twin; the network has its weights when the block is over.

    Raises:
        UsageError: Fused batch normalisation is asked for without TensorFlow.
    """
    if not fused_norm and distribute == "none":
        yield network
        return
    if fused_norm:
        check_fused_norm()
    mirrored = distribute == "mirrored"
    with scope() if mirrored else nullcontext():
        twin = twin_of(network, fused_norm=fused_norm, synchronized=mirrored)
        yield sharded(twin) if mirrored else twin
        network.set_weights(twin.get_weights())


def twin_of(network: keras.Model, *, fused_norm: bool, synchronized: bool = False) -> keras.Model:
    """Return a copy of `network` with its weights, whose layers are fused or synchronized.

    Its variables are in the order of the network's, so that checkpoints and weights fit both.
    """
    import keras

    def copied(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        kind = type(layer)
        if synchronized and kind is keras.layers.BatchNormalization:
            config["synchronized"] = True  # over the devices: statistics of the whole batch
        if fused_norm and kind is keras.layers.BatchNormalization:
            kind = _fused_batch_normalization()
        return kind.from_config(config)

    twin = keras.models.clone_model(network, clone_function=copied)
    twin.set_weights(network.get_weights())
    return twin


def check_device(recipe: TrainingRecipe) -> None:
    """Refuse what this machine or this backend cannot do, before anything is read.

    Raises:
        UsageError: Fused batch normalisation is asked for without TensorFlow, or a training is to be shared that cannot
            be.
    """
    if recipe.distribute == "mirrored":
        check_devices(recipe.batch)
        if recipe.fused_norm:
            raise UsageError(
                "{fused_norm} knows one device's statistics alone.",
                remedy="Leave out one of the two.",
                of=TrainingRecipe,
            )
    if recipe.fused_norm:
        check_fused_norm()


def check_fused_norm() -> None:
    """Refuse fused batch normalisation without TensorFlow.

    Raises:
        UsageError: Keras runs on another backend.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise UsageError(f"{{fused_norm}} is TensorFlow's; Keras runs on {keras.backend.backend()}.", of=TrainingRecipe)


@cache
def _fused_batch_normalization() -> type[keras.layers.BatchNormalization]:
    """Return batch normalisation that computes statistics, scale and offset in one operation while it trains.

    Keras 3 composes them of separate ones (keras-team/keras, ``ops.moments`` and ``ops.batch_normalization``), each of
    which reads and writes all activations: on a CPU a third of a training step of MobileNetV2.
    """
    import keras
    import tensorflow as tf

    class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            if not (training and self.trainable):
                return super().call(inputs, training=training, mask=mask)
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                inputs, self.gamma.value, self.beta.value, epsilon=self.epsilon, is_training=True
            )
            count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
            biased = variance * ((count - 1) / count)  # the operation gives the unbiased one, Keras keeps the other
            self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1 - self.momentum))
            self.moving_variance.assign(self.moving_variance * self.momentum + biased * (1 - self.momentum))
            return outputs

    return FusedBatchNormalization
