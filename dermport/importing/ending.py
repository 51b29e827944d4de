"""What a network's last operator gives, and the network without it: images to logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ModelError

if TYPE_CHECKING:
    import keras

Kind = Literal["probabilities", "logits", "sigmoid"]
_WORDS: dict[str, Kind] = {
    "softmax": "probabilities",
    "log_softmax": "logits",
    "sigmoid": "sigmoid",
    "linear": "logits",
}
_MOST = 1000


@dataclass(frozen=True)
class NetworkEnding:
    """What a network answers.

    Attributes:
        kind: Probabilities (softmax), logits, or one sigmoid of two classes.
        classes: How many labels there are.
        words: What was found, for people.
    """

    kind: Kind
    classes: int
    words: str

    def probabilities(self, answers: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probabilities, [N, classes], that the original's answers stand for."""
        found = answers.astype(np.float64)
        if self.kind == "sigmoid":
            return np.concatenate([1 - found, found], axis=1)
        if self.kind == "probabilities":
            return found
        both = np.concatenate([np.zeros_like(found), found], axis=1) if found.shape[1] == 1 else found
        powers = np.exp(both - both.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def cut_ending(network: keras.Model, path: Any) -> tuple[keras.Model, NetworkEnding]:
    """Return the network up to its logits, [N, C], or [N, 1] for two classes, and what stood behind them.

    Raises:
        ModelError: It answers each label by itself, or for too many.
    """
    import keras

    last = network.layers[-1]
    word, logits = _without_activation(network, last)
    outputs = int(network.output.shape[-1])
    kind = _WORDS.get(word)
    if kind is None:
        raise ModelError(
            f"{path} ends in {word}: not softmax, one sigmoid, or logits.",
            remedy="Export it up to its logits.",
        )
    _check_count(kind, outputs, path)
    words = {
        "probabilities": f"softmax of {outputs}",
        "sigmoid": "one sigmoid: the probability of the second label; an equal softmax of two is written",
        "logits": f"{outputs} logits; a softmax is added",
    }[kind]
    if kind == "logits" and outputs == 1:
        words = "one logit, of the second label; a softmax of two is added"
    return keras.Model(network.input, logits, name="network"), NetworkEnding(kind, max(outputs, 2), words)


def _check_count(kind: Kind, outputs: int, path: Any) -> None:
    if kind == "sigmoid" and outputs > 1:
        raise ModelError(
            f"{path} ends in {outputs} sigmoids, each label by itself; a bundle's labels exclude each other.",
            remedy="Import a model of one sigmoid (two labels) or a softmax.",
        )
    if outputs > _MOST or (kind == "probabilities" and outputs == 1):
        raise ModelError(f"{path} answers {outputs} values; 2 to {_MOST:,} labels can be told apart.")


def _without_activation(network: keras.Model, last: Any) -> tuple[str, Any]:
    """Return the last layer's activation, and the tensor before it."""
    import keras

    if isinstance(last, keras.layers.Softmax):
        return "softmax", last.input
    if isinstance(last, keras.layers.Activation):
        return _name(last.activation), last.input
    activation = getattr(last, "activation", None)
    word = _name(activation) if activation else "linear"
    if isinstance(last, keras.layers.ReLU):
        return "relu", network.output
    if word == "linear" or not isinstance(last, keras.layers.Dense):
        return word, network.output
    linear = keras.layers.Dense(last.units, use_bias=last.use_bias, name=last.name)
    logits = linear(last.input)
    linear.set_weights(last.get_weights())
    return word, logits


def _name(activation: Any) -> str:
    return str(getattr(activation, "__name__", activation))
