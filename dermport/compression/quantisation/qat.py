"""Quantisation-aware training (Jacob et al. 2018, arXiv:1712.05877): trained on with its rounding in place.

Weights and stored tensors are rounded on the way forward, and the gradient passes as if they were not (straight
through). Ranges are learnt with the weights (LSQ, Esser et al. 2020, arXiv:1902.08153), unless they are exact
(:mod:`dermport.exporters.integer.exact`). Batch normalisation is folded before, so that what is trained is what is
stored. Every variable moves in units of its own codes: one learning rate then suits weights of 55 and of 0.01, which a
folded MobileNetV2 has side by side.

The layers here live in memory alone; what is saved is the integer network that is read off them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dermport.compression.fine_tune import augmented
from dermport.compression.quantisation.graph import KerasGraph, Node, Weights, along
from dermport.compression.quantisation.sensitivity import divergence
from dermport.compression.quantisation.stages import QuantisationStage
from dermport.compression.step import StepContext
from dermport.statistics.temperature import at_temperature
from dermport.training.model.network import class_logits, predict
from dermport.training.phases.loop import Phase, TrainingLoop, steps_per_epoch
from dermport.training.phases.recipes import compile_for
from dermport.training.phases.state import EpochFigures

if TYPE_CHECKING:
    import keras

_LARGEST = 127
_RANGE_RATE = 0.01  # of a weight's rate: a range moves every value of its tensor
_AVERAGED = 0.1  # of the steps, that the moving average of the weights looks back
_WARM_UP = 0.08  # of the steps

Loss = Literal["distil", "labels"]


@dataclass(frozen=True)
class QatSettings:
    """How a quantised network is trained on.

    Attributes:
        epochs: Over the training photos.
        rate: Learning rate at the start, in codes of 1/127 of a weight's range; falls along a cosine.
        batch: Photos a step.
        loss: Answer as the float network does on the same augmented photo, or as the labels say.
        augmentation: How far photos are changed.
    """

    epochs: int
    rate: float
    batch: int
    loss: Loss
    augmentation: Literal["gentle", "strong"]


@dataclass(frozen=True)
class QatResult:
    """What training gave: float weights whose nearest codes are meant, ranges, and the epochs."""

    weights: Weights
    scales: Mapping[str, float]
    history: tuple[EpochFigures, ...]


def trained(begun: QuantisationStage, training: QatSettings, context: StepContext) -> QatResult:
    """Train a quantised network; a killed training goes on from its checkpoint to the same result.

    Args:
        begun: Where training begins, its weights not rounded; its float template is what the result is held to.
            Convolutions that stay in float, and the classifier, are not trained.
        training: How.
        context: Photos and checkpoints.
    """
    student = _student(begun)
    model = _distilled(student, begun.template) if training.loss == "distil" else student
    steps = steps_per_epoch(len(context.parts.train.records), training.batch)
    compile_for(model, _optimizer(training.rate, training.epochs * steps))
    inputs = augmented(context.parts.train.tensors, training.augmentation)
    validation = context.parts.validation.tensors
    phase = Phase("quantise", "Quantisation-aware training", model, training.epochs, inputs, validation)
    history = _loop(begun, training, context).run(phase)
    graph, layers = KerasGraph.of(begun.template), {layer.name: layer for layer in student.layers}
    learnt = {node.name: layers[node.name].learnt() for node in graph.convolutions if node.name not in begun.floats}
    ranges = {site: layers[f"{site}_stored"].learnt() for site in graph.stored(begun.floats)}
    return QatResult({**begun.weights, **learnt}, {**begun.scales, **ranges}, history)


@dataclass(frozen=True)
class _AgreementLoop(TrainingLoop):
    """A loop whose best epoch answers most as the float network does; its figures are held against that.

    The loss of an epoch is the divergence from `wanted`, float [M, C], and its accuracy the agreement with it. Labels,
    or the most probable classes, would prefer whichever epoch is the surest of itself.
    """

    wanted: NDArray[np.float64]

    def _validate(self, logits: NDArray[np.float32]) -> tuple[float, float, float | None]:
        found = at_temperature(logits, 1.0)
        agreeing = found.argmax(axis=1) == self.wanted.argmax(axis=1)
        return divergence(self.wanted, found), float(agreeing.mean()), None


def _loop(begun: QuantisationStage, training: QatSettings, context: StepContext) -> TrainingLoop:
    loop = context.loop(batch=training.batch)
    if training.loss == "labels":
        return loop
    wanted = at_temperature(class_logits(predict(begun.template, context.parts.validation.tensors)), 1.0)
    return _AgreementLoop(loop.folder, loop.targets, loop.batch, loop.patience, loop.seed, loop.progress, wanted)


def _optimizer(rate: float, steps: int) -> keras.optimizers.Optimizer:
    import keras

    warm_up = max(1, round(_WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 100, max(1, steps - warm_up), alpha=0.01, warmup_target=rate, warmup_steps=warm_up
    )
    memory = max(0.5, 1 - 1 / (_AVERAGED * steps))
    return keras.optimizers.Adam(schedule, use_ema=True, ema_momentum=memory)


def _distilled(student: keras.Model, teacher: keras.Model) -> keras.Model:
    """Return the student as a model whose loss is how far its probabilities are from the teacher's (KL)."""
    import keras
    from keras import ops

    class Distilled(keras.Model):  # type: ignore[misc]  # the library is untyped
        def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None, training: bool = True) -> Any:
            wanted = ops.stop_gradient(_log_probabilities(teacher(x, training=False)))
            found = _log_probabilities(y_pred)
            return ops.mean(ops.sum(ops.exp(wanted) * (wanted - found), axis=-1))

    return Distilled(student.input, student.output)


def _log_probabilities(logits: Any) -> Any:
    from keras import ops

    both = ops.concatenate([-logits / 2, logits / 2], axis=-1) if logits.shape[-1] == 1 else logits
    return ops.log_softmax(both, axis=-1)


def _significant(scales: Any) -> Any:
    """Round scales up to six significant bits, as :func:`dermport.exporters.integer.grid.to_grid` does."""
    from keras import ops

    unit = ops.power(2.0, ops.floor(ops.log2(scales)) - 5)
    return ops.ceil(scales / unit - 1e-5) * unit


def _straight(values: Any) -> Any:
    """Round, with the gradient of doing nothing."""
    from keras import ops

    return values + ops.stop_gradient(ops.round(values) - values)


def _student(begun: QuantisationStage) -> keras.Model:
    import keras

    template, scales, graph = begun.template, begun.scales, KerasGraph.of(begun.template)
    stored = set(graph.stored(begun.floats))
    rounded = {node.name: node for node in graph.convolutions if node.name not in begun.floats}

    def clone(layer: keras.Layer) -> keras.Layer:
        if layer.name in rounded:
            node = rounded[layer.name]
            output_scale = scales[graph.site(node.name)]
            return _rounded_layer(node, *begun.weights[node.name], output_scale, exact=begun.exact)
        dropout = {"rate": 0.0} if isinstance(layer, keras.layers.Dropout) else {}  # its teacher drops nothing either
        copy = layer.__class__.from_config({**layer.get_config(), **dropout})
        copy.trainable = False
        return copy

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        result = layer(*inputs, **options)
        return (
            _stored_layer(layer.name, scales[layer.name], learns=not begun.exact)(result)
            if layer.name in stored
            else result
        )

    student = keras.models.clone_model(template, clone_function=clone, call_function=call)
    for layer in template.layers:
        if layer.name not in rounded:
            student.get_layer(layer.name).set_weights(begun.weights.get(layer.name) or layer.get_weights())
    return student


def _rounded_layer(node: Node, kernel: Any, bias: Any, output_scale: float, *, exact: bool) -> keras.Layer:
    """Return a convolution whose weights are rounded as it runs; its variables count codes."""
    import keras
    from keras import ops

    axes = tuple(axis for axis in range(4) if axis != node.axis)
    unit = np.maximum(np.abs(kernel).max(axis=axes), 1e-12) / _LARGEST
    convolve = ops.depthwise_conv if node.depthwise else ops.conv
    options = {"strides": node.layer.strides, "padding": node.layer.padding}

    class Rounded(keras.layers.Layer):  # type: ignore[misc]  # the library is untyped
        def build(self, shape: Any) -> None:
            start = keras.initializers.Constant
            codes = (kernel / along(unit, node.axis)).astype(np.float32)
            self.codes = self.add_weight(shape=kernel.shape, initializer=lambda *_, **__: codes, name="codes")
            self.shift = self.add_weight(shape=bias.shape, initializer=start(0.0), name="shift")

        def call(self, inputs: Any) -> Any:
            step = ops.stop_gradient(ops.maximum(ops.max(ops.abs(self.codes), axes, keepdims=True) / _LARGEST, 1e-6))
            units = along(unit, node.axis).astype(np.float32)
            step = _significant(step * units) / units if exact else step
            weights = _straight(self.codes / step) * step * units
            return convolve(inputs, weights, **options) + bias + self.shift * output_scale

        def learnt(self) -> tuple[Any, Any]:
            weights = np.asarray(self.codes) * along(unit, node.axis)
            return weights.astype(np.float32), (bias + np.asarray(self.shift) * output_scale).astype(np.float32)

    return Rounded(name=node.name)


def _stored_layer(site: str, scale: float, *, learns: bool) -> keras.Layer:
    """Return a layer that rounds a tensor to int8 codes of a scale, which it may learn."""
    import keras
    from keras import ops

    class Stored(keras.layers.Layer):  # type: ignore[misc]  # the library is untyped
        def build(self, shape: Any) -> None:
            self.growth = self.add_weight(shape=(), initializer="zeros", trainable=learns, name="growth")

        def call(self, inputs: Any) -> Any:
            step = scale * ops.exp(self.growth * _RANGE_RATE)
            return _straight(ops.clip(inputs / step, -_LARGEST - 1, _LARGEST)) * step

        def learnt(self) -> float:
            return float(scale * np.exp(np.float64(np.asarray(self.growth)) * _RANGE_RATE))

    return Stored(name=f"{site}_stored")
