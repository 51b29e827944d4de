"""What a student is trained for: the labels, its teacher's answers at a temperature, and its teacher's features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.statistics.temperature import at_temperature
from dermport.training.model.network import features_of

if TYPE_CHECKING:
    import keras

MAPPED = "mapped_features"


@dataclass(frozen=True)
class Objective:
    """(1 - weight) · CE(labels) + weight · T² · KL(teacher at T ‖ student at T) + features · distance of features.

    T² keeps the size of the second term's gradients (Hinton et al. 2015, section 2.1). The distance is the mean square
    between the teacher's pooled features, each standardised over its own channels, and a linear map of the student's
    (hints: Romero et al. 2015, arXiv:1412.6550); the map is learned with the student, and dropped afterwards.

    Attributes:
        classes: C.
        temperature: T.
        weight: Share of the teacher's answers, 0 to 1.
        smoothing: Share of each label that is spread over all classes.
        features: Weight of the teacher's features, 0 for none.
    """

    classes: int
    temperature: float
    weight: float
    smoothing: float = 0.0
    features: float = 0.0

    @property
    def outputs(self) -> int:
        """How many logits the student gives: one for two classes."""
        return 1 if self.classes == 2 else self.classes

    def soft_targets(self, logits: NDArray[np.floating], features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return what is added to the labels of a batch: the teacher's answers at T, and its features where they count.

        Args:
            logits: The teacher's logits or log-probabilities, [B, C].
            features: The teacher's pooled features, [B, F].

        Returns:
            float32 [B, C], or [B, C + F].
        """
        soft = at_temperature(logits, self.temperature)
        parts = [soft, standardised(features)] if self.features else [soft]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def model(self, network: keras.Model, width: int, seed: int) -> keras.Model:
        """Return what is trained: the network, with the map of its features to the teacher's `width` where they count.

        It is a model of its own, so that the network is never compiled for a loss that later steps cannot load.
        """
        import keras

        if not self.features:
            return keras.Model(network.input, network.output, name="lesson")
        start = keras.initializers.GlorotUniform(seed=seed)
        mapped = keras.layers.Dense(width, use_bias=False, kernel_initializer=start, name=MAPPED)
        given = [network.output, mapped(features_of(network))]
        return keras.Model(network.input, keras.layers.Concatenate(name="answers")(given), name="lesson")

    def compile(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
        """Compile the model that is trained."""
        # No XLA, as in dermport.training.phases.recipes.compile_for.
        model.compile(optimizer, self._loss(), metrics=[self._accuracy()], jit_compile=False)

    def _loss(self) -> Callable[[Any, Any], Any]:
        from keras import losses, ops

        logits_end, soft_end = self.outputs, self.outputs + self.classes

        def distillation(truth: Any, given: Any) -> Any:
            logits, labels = given[:, :logits_end], truth[:, :logits_end]
            hard = (losses.binary_crossentropy if logits_end == 1 else losses.categorical_crossentropy)(
                labels, logits, from_logits=True, label_smoothing=self.smoothing
            )
            soft = truth[:, logits_end:soft_end]
            answers = ops.log_softmax(_class_logits(logits) / self.temperature)
            divergence = ops.sum(soft * (ops.log(ops.maximum(soft, 1e-30)) - answers), axis=1)
            total = (1 - self.weight) * hard + self.weight * self.temperature**2 * divergence
            if self.features:
                distance = ops.mean(ops.square(given[:, logits_end:] - truth[:, soft_end:]), axis=1)
                total = total + self.features * distance
            return total

        return distillation

    def _accuracy(self) -> Callable[[Any, Any], Any]:
        from keras import ops

        def accuracy(truth: Any, given: Any) -> Any:
            labels = truth[:, : self.outputs]
            top = ops.argmax(_class_logits(given[:, : self.outputs]), axis=1)
            return ops.cast(top == (ops.argmax(labels, axis=1) if self.outputs > 1 else labels[:, 0] > 0.5), "float32")

        return accuracy


def standardised(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return features [B, F] with mean 0 and standard deviation 1 over each photo's own channels, float64."""
    values = features.astype(np.float64)
    spread = values.std(axis=1, keepdims=True)
    return np.asarray((values - values.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-6))


def _class_logits(logits: Any) -> Any:
    """Do what :func:`dermport.training.model.network.class_logits` does, within a graph."""
    from keras import ops

    return ops.concatenate([-logits / 2, logits / 2], axis=1) if logits.shape[1] == 1 else logits
