"""The class activation map: the classification layer applied to every cell of the last feature map.

A pooled linear head is the same whether it pools first or classifies first, for both are linear:
W · mean(F) + b = mean(W · F + b). So the map of Zhou et al. 2016, "Learning Deep Features for Discriminative
Localization" (https://arxiv.org/abs/1512.04150) is no estimate here: its mean over the cells is the model's calibrated
logits, and each cell's value is what that cell adds to them. Grad-CAM (Selvaraju et al. 2017,
https://arxiv.org/abs/1610.02391) of this head is the same map up to a factor and the bias, before its relu.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import BundleError, Parameters
from dermport.runtimes.base import ACTIVATION_MAP, PROBABILITIES

if TYPE_CHECKING:
    import keras

SETTING = "activation_map"  # of a recipe whose artifact gives its map
_BATCH = 64


def with_map(model: keras.Model) -> keras.Model:
    """Return a bundle's model with its map as a second output, float32 [N, h, w, C].

    The classification layer is used once, as a 1 x 1 convolution; its mean over the cells goes on to the softmax. So
    weights and size stay what they were. The trunk is shared with `model`.

    Raises:
        BundleError: The model does not end in pooling and one dense layer.
    """
    import keras

    head = model.layers[-1]
    if not isinstance(head, keras.layers.Dense):
        raise BundleError(
            f"The model ends in {head.name}, no dense layer: it has no class activation map.",
            remedy="Export it without {maps}.",
            of=Parameters,
        )
    if head.activation is not keras.activations.softmax:
        raise BundleError(
            f"The model ends in {head.activation.__name__}, no softmax, which answers with a map would have instead.",
            remedy="Export it without {maps}.",
            of=Parameters,
        )
    kernel, bias = head.get_weights()
    cells = keras.layers.Conv2D(len(bias), 1, name=ACTIVATION_MAP)
    grid = cells(_before_pooling(head.input))
    logits = keras.layers.GlobalAveragePooling2D(name="logits")(grid)
    answer = keras.layers.Softmax(name=PROBABILITIES)(logits)
    cells.set_weights([kernel[None, None], bias])
    return keras.Model(model.input, [answer, grid], name=model.name)


def has_map(model: keras.Model) -> bool:
    """Whether a model gives a map beside its probabilities."""
    return len(model.outputs) > 1


def named_outputs(model: keras.Model, image: Any) -> dict[str, Any]:
    """Return what a model answers about images float32 [N, S, S, 3], by the names that artifacts give it."""
    answers = model(image, training=False)
    return (
        dict(zip((PROBABILITIES, ACTIVATION_MAP), answers, strict=True)) if has_map(model) else {PROBABILITIES: answers}
    )


def keras_maps(model: keras.Model, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the original's maps, float32 [N, h, w, C], of prepared photos uint8 [N, S, S, 3].

    Args:
        model: A bundle's model, with or without its map.
        tensors: The photos.

    Raises:
        BundleError: The model does not end in pooling and one dense layer.
    """
    mapped = model if has_map(model) else with_map(model)
    batches = (tensors[start : start + _BATCH].astype(np.float32) for start in range(0, len(tensors), _BATCH))
    return np.concatenate([mapped.predict_on_batch(batch)[1] for batch in batches])


def _before_pooling(tensor: Any) -> Any:
    """Return the last feature map, [N, h, w, F], of which a dense layer reads the mean."""
    import keras

    writer, call, _ = tensor._keras_history
    [source] = writer._inbound_nodes[call].input_tensors or [None]
    if isinstance(writer, keras.layers.GlobalAveragePooling2D):
        return source
    if isinstance(writer, keras.layers.Dropout):
        return _before_pooling(source)
    if isinstance(writer, keras.Model):  # a trunk that pools by itself
        return keras.Model(writer.inputs, _before_pooling(writer.outputs[0]))(source)
    raise BundleError(
        f"Before its last layer the model has {writer.name}, no pooling: it has no class activation map.",
        remedy="Export it without {maps}.",
        of=Parameters,
    )
