"""The network that steps pass on: a bundle's model without its softmax and temperature, ready to be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dermport.bundle.store import Bundle
from dermport.errors import BundleError, UsageError
from dermport.training.model.network import CLASSIFIER, DROPOUT, POOL

if TYPE_CHECKING:
    import keras

_STRIDE = 32  # of MobileNetV2 as a whole: its padding stays the same for inputs that are multiples of it


def network_of(bundle: Bundle, *, size: int | None = None, dropout: float = 0.2) -> keras.Model:
    """Return a bundle's network: float32 [N, S, S, 3] of 0..255 to logits float32 [N, C], or [N, 1] for two classes.

    It has the layers' names of :func:`dermport.training.model.network.build_network`, and weights of its own. The
    bundle's temperature stays folded into the classification layer, so that softmax of the logits is what the bundle
    answers.

    Args:
        bundle: The parent.
        size: Side S of the input, pixels; None for the bundle's own.
        dropout: Share of the pooled features dropped while training.

    Raises:
        UsageError: `size` is no multiple of 32.
        BundleError: The model is not of the layout that ``dermport train`` writes.
    """
    import keras

    path = bundle.file(bundle.manifest.model.file)
    return from_model(keras.saving.load_model(path, compile=False), size=size, dropout=dropout)


def from_model(model: keras.Model, *, size: int | None = None, dropout: float = 0.2) -> keras.Model:
    """Return the network of a bundle's Keras model; see :func:`network_of`."""
    import keras

    if size is not None and size % _STRIDE:
        raise UsageError(f"An input of {size} pixels cannot be taken over: it is no multiple of {_STRIDE}.")
    _check(model)
    side = size or model.input.shape[1]
    trunk = keras.Model(model.input, model.get_layer(POOL).output)
    trunk = _resized(trunk, side) if side != model.input.shape[1] else keras.models.clone_model(trunk)
    trunk.set_weights(keras.Model(model.input, model.get_layer(POOL).output).get_weights())
    dropped = keras.layers.Dropout(dropout, seed=0, name=DROPOUT)(trunk.output)
    kernel, bias = model.layers[-1].get_weights()
    if kernel.shape[1] == 2:  # the bundle's (-z/2, z/2) is one logit z (see training.model.network)
        kernel, bias = kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]
    classifier = keras.layers.Dense(len(bias), name=CLASSIFIER)
    network = keras.Model(trunk.input, classifier(dropped), name="network")
    classifier.set_weights([kernel, bias])
    for layer in network.layers:
        layer.trainable = True  # a bundle's model is saved frozen, and its layers take that along
    return network


def _resized(trunk: keras.Model, side: int) -> keras.Model:
    import keras

    image = keras.Input((side, side, 3), name="image")
    return keras.models.clone_model(trunk, input_tensors=image)


def _check(model: keras.Model) -> None:
    import keras

    names = {layer.name for layer in model.layers}
    if POOL not in names or not isinstance(model.layers[-1], keras.layers.Dense):
        raise BundleError(
            "The bundle's model is not laid out as `dermport train` writes it (a trunk, `pool`, one dense layer).",
            remedy="Compress a bundle that `dermport train` or `dermport compress` wrote.",
        )
