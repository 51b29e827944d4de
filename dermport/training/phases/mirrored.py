"""Data-parallel training on the devices of one machine: each has a copy of the network and a share of every batch.

Through ``tf.distribute.MirroredStrategy``. Keras' own ``train_on_batch`` gives every device the whole batch; this gives
each its share. Gradients are summed over the devices and batch normalisation sees the whole batch, so that a step is
what it is on one device, but for rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dermport.errors import UsageError
from dermport.training.recipe import TrainingRecipe

if TYPE_CHECKING:
    import keras


def devices() -> list[str]:
    """Return the names of the devices that share a batch: the GPUs, or where there is none, the logical CPUs."""
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in found]


def check_devices(batch: int) -> None:
    """Refuse a training that cannot be shared, before anything is read.

    Raises:
        UsageError: Keras does not run on TensorFlow, or a batch cannot be parted evenly.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise UsageError(f"{{distribute}} is TensorFlow's; Keras runs on {keras.backend.backend()}.", of=TrainingRecipe)
    if batch % (count := len(devices())):
        raise UsageError(
            f"A batch of {batch} photos cannot be shared evenly by {count} devices.",
            remedy=f"Choose a {{batch}} that {count} divides.",
            of=TrainingRecipe,
        )


@contextmanager
def scope() -> Iterator[None]:
    """Return a context in which what is built has a copy on each device."""
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(devices()).scope():
        yield


def sharded(model: keras.Model) -> keras.Model:
    """Return a model of the same layers whose steps share a batch out; to be called, and compiled, within `scope`."""
    return _sharded()(model.input, model.output, name=model.name)


@cache
def _sharded() -> type[keras.Model]:
    import keras
    import tensorflow as tf

    class Sharded(keras.Model):  # type: ignore[misc]  # keras has no types
        """Its `train_on_batch` takes a whole batch; what it answers is of the whole batch, too."""

        _step: Any = None

        def train_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
            batch = (x, y, np.ones(len(x), np.float32) if sample_weight is None else sample_weight)
            strategy = self.distribute_strategy
            if self._step is None:
                self._prepare(*batch)
            self.reset_metrics()
            count = strategy.num_replicas_in_sync
            self._step(
                strategy.experimental_distribute_values_from_function(
                    lambda context: tuple(
                        tf.convert_to_tensor(values[context.replica_id_in_sync_group :: count]) for values in batch
                    )
                )
            )
            found = {name: float(value) for name, value in self.get_metrics_result().items()}
            return found if return_dict else list(found.values())

        def predict_on_batch(self, x: Any) -> Any:
            """Answer on one device: Keras would have each answer the whole batch, and give all their answers."""
            return np.asarray(self._answer(tf.convert_to_tensor(x)))

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # tensorflow has no types
        def _answer(self, x: Any) -> Any:
            return self(x, training=False)

        def _prepare(self, x: Any, y: Any, weights: Any) -> None:
            """Make the variables of loss, metrics and optimizer: none can be made within a step."""
            given = self(x[:1], training=False)
            self.compute_loss(x[:1], y[:1], given, weights[:1])
            self.compute_metrics(x[:1], y[:1], given, weights[:1])
            self.optimizer.build(self.trainable_variables)

            def step(shares: Any) -> None:
                self.distribute_strategy.run(self.train_step, args=(shares,))

            self._step = tf.function(step, reduce_retracing=True)

    return Sharded
