"""Ways in which a converter could go wrong, done to the source so that they reach every target alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from dermport.exporters.contract import Source


def _trunk(model: Any) -> Any:
    import keras

    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def _zeroed_weights(source: Source) -> Source:
    layer = _trunk(source.model).get_layer("block_1_project")
    layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    return source


def _wrong_normalisation(source: Source) -> Source:
    """0..1 instead of -1..1, the commonest mistake of all."""
    import keras

    model = source.model
    features = _trunk(model)(keras.layers.Rescaling(1 / 255)(model.input), training=False)
    return replace(source, model=keras.Model(model.input, model.layers[-1](features)))


def _swapped_labels(source: Source) -> Source:
    first, second, *rest = source.manifest.task.labels
    task = source.manifest.task.model_copy(update={"labels": (second, first, *rest)})
    return replace(source, manifest=source.manifest.model_copy(update={"task": task}))


def _swapped_outputs(source: Source) -> Source:
    head = source.model.layers[-1]
    kernel, bias = head.get_weights()
    order = [1, 0, *range(2, len(bias))]
    head.set_weights([kernel[:, order], bias[order]])
    return source


def _bgr(source: Source) -> Source:
    """Feeding BGR is the same as turning the first convolution's input channels round."""
    layer = _trunk(source.model).get_layer("Conv1")
    layer.set_weights([weight[:, :, ::-1] if weight.ndim == 4 else weight for weight in layer.get_weights()])
    return source


DAMAGE: dict[str, Callable[[Source], Source]] = {
    "none": lambda source: source,  # else a network that fails by itself would prove the others
    "one weight tensor zeroed": _zeroed_weights,
    "wrong normalisation": _wrong_normalisation,
    "swapped labels": _swapped_labels,
    "swapped outputs": _swapped_outputs,
    "BGR": _bgr,
}
