"""The network that steps pass on: a bundle's model without its softmax and temperature, ready to be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.store import Bundle
from dermport.compression.flattened import flattened
from dermport.errors import BundleError, UsageError
from dermport.training.model.network import CLASSIFIER, DROPOUT

if TYPE_CHECKING:
    import keras

_STRIDE = 32  # of MobileNetV2 and its like as a whole: padding stays the same for inputs that are multiples of it


def network_of(bundle: Bundle, *, size: int | None = None, dropout: float = 0.2) -> keras.Model:
    """Return a bundle's network: float32 [N, S, S, 3] of 0..255 to logits float32 [N, C], or [N, 1] for two classes.

    It is one flat graph (:mod:`.compression.flattened`) with weights of its own; its last two layers are named as those
    of :func:`dermport.training.model.network.build_network`. The bundle's temperature stays folded into the
    classification layer, so that softmax of the logits is what the bundle answers.

    Args:
        bundle: The parent.
        size: Side S of the input, pixels; None for the bundle's own.
        dropout: Share of the features dropped while training.

    Raises:
        UsageError: `size` is no multiple of 32, or the network cannot be followed or resized; the layer is named.
        BundleError: The model does not end in a softmax.
    """
    import keras

    path = bundle.file(bundle.manifest.model.file)
    return from_model(keras.saving.load_model(path, compile=False), size=size, dropout=dropout)


def from_model(model: keras.Model, *, size: int | None = None, dropout: float = 0.2) -> keras.Model:
    """Return the network of a bundle's Keras model; see :func:`network_of`."""
    import keras

    if size is not None and size % _STRIDE:
        raise UsageError(f"An input of {size} pixels cannot be taken over: it is no multiple of {_STRIDE}.")
    flat = flattened(model, size)
    features, kernel, bias = _ends(flat)
    if kernel.shape[1] == 2:  # the bundle's (-z/2, z/2) is one logit z (see training.model.network)
        kernel, bias = kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]
    dropped = keras.layers.Dropout(dropout, seed=0, name=DROPOUT)(features)
    classifier = keras.layers.Dense(len(bias), name=CLASSIFIER)
    network = keras.Model(flat.input, classifier(dropped), name="network")
    classifier.set_weights([kernel, bias])
    for layer in network.layers:
        layer.trainable = True  # a bundle's model is saved frozen, and its layers take that along
    return network


def _ends(flat: keras.Model) -> tuple[Any, NDArray[np.float32], NDArray[np.float32]]:
    """Return what the classification layer reads, [N, F], and its kernel and bias.

    Where logits come from something else than a dense layer (a convolution that is pooled), a dense layer that changes
    nothing stands for it.
    """
    import keras

    logits = _before(flat.output, lambda layer: getattr(layer, "activation", None) is keras.activations.softmax)
    if logits is None:
        logits = _before(flat.output, lambda layer: isinstance(layer, keras.layers.Softmax))
    if logits is None:
        last = flat.layers[-1].name
        raise BundleError(f"The bundle's model ends in {last}, no softmax.", remedy="Import or train it again.")
    features = _before(logits, lambda layer: isinstance(layer, keras.layers.Dense))
    if features is None:
        classes = logits.shape[-1]
        return logits, np.eye(classes, dtype=np.float32), np.zeros(classes, np.float32)
    kernel, *bias = _writer(logits).get_weights()
    undropped = _before(features, lambda layer: isinstance(layer, keras.layers.Dropout))
    return features if undropped is None else undropped, kernel, bias[0] if bias else np.zeros(kernel.shape[1], "f")


def _writer(tensor: Any) -> Any:
    return tensor._keras_history[0]


def _before(tensor: Any, is_wanted: Any) -> Any:
    """Return what the layer reads that gives a tensor, if it is the wanted one, else None."""
    layer = _writer(tensor)
    return layer.input if is_wanted(layer) else None
