"""A model as one flat graph of plain layers, which steps can follow from layer to layer.

Nested models are opened, and an activation inside a convolution or a dense layer becomes a layer of its own; what comes
out computes the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dermport.errors import UsageError
from dermport.training.model.network import CLASSIFIER, DROPOUT

if TYPE_CHECKING:
    import keras

_RECTIFIERS = {"relu": None, "relu6": 6.0}


def flattened(model: keras.Model, side: int | None = None) -> keras.Model:
    """Return a copy of a functional model, float32 [N, S, S, 3] to one output, as one flat graph.

    Args:
        model: Stays as it is.
        side: S of the copy, pixels; None for the model's own.

    Raises:
        UsageError: A layer is used twice, or the weights of one are of another size at that side.
    """
    import keras

    image = keras.Input((side or model.input.shape[1], side or model.input.shape[2], 3), name="image")
    copier = _Copier()
    flat = keras.Model(image, copier.through(model, image), name=model.name)
    for old, new in copier.copies:
        if [tuple(weight.shape) for weight in old.weights] != [tuple(weight.shape) for weight in new.weights]:
            raise UsageError(
                f"An input of {side} pixels cannot be taken over: the layer {old.name} would have other weights.",
                remedy="Leave the size as it is.",
            )
        new.set_weights(old.get_weights())
    return flat


class _Copier:
    """Copies the layers of a model, and what is nested in it, each under a name of its own.

    Attributes:
        copies: Each layer with weights, and its copy.
    """

    def __init__(self) -> None:
        self.copies: list[tuple[keras.Layer, keras.Layer]] = []
        self._met: set[int] = set()
        self._names = {"image", DROPOUT, CLASSIFIER}

    def through(self, model: keras.Model, inputs: Any) -> Any:
        """Return what a model gives of other tensors, by copies of its layers."""
        outputs = model._run_through_graph(inputs, operation_fn=lambda layer: layer, call_fn=self._call)
        return outputs[0] if isinstance(outputs, (list, tuple)) else outputs

    def _call(self, layer: Any, *inputs: Any, **options: Any) -> Any:
        import keras

        if isinstance(layer, keras.Model):
            return self.through(layer, inputs[0])
        if not isinstance(layer, keras.Layer):  # a bare operation, such as x + 3
            return type(layer).from_config(layer.get_config())(*inputs, **options)
        if id(layer) in self._met:
            raise UsageError(f"The layer {layer.name} is used in two places: its weights cannot be followed.")
        self._met.add(id(layer))
        first, *others = self._parts(layer)
        self.copies.append((layer, first))
        result = first(*inputs, **options)
        for other in others:
            result = other(result)
        return result

    def _parts(self, layer: keras.Layer) -> list[keras.Layer]:
        """Return the layer's copy, and its activation where it is to stand alone."""
        import keras

        config = {**layer.get_config(), "name": self._named(layer.name)}
        inside = config.get("activation")
        if isinstance(layer, keras.layers.Activation) and inside in _RECTIFIERS:
            return [keras.layers.ReLU(_RECTIFIERS[inside], name=config["name"])]
        if not layer.weights or inside in (None, "linear"):
            return [type(layer).from_config(config)]
        alone = self._named(f"{layer.name}_{inside if isinstance(inside, str) else 'activation'}")
        plain = type(layer).from_config({**config, "activation": "linear"})
        if inside in _RECTIFIERS:
            return [plain, keras.layers.ReLU(_RECTIFIERS[inside], name=alone)]
        return [plain, keras.layers.Activation(layer.activation, name=alone)]

    def _named(self, name: str) -> str:
        """Return the name, or one with a number where another layer has it."""
        number, free = 1, name
        while free in self._names:
            number, free = number + 1, f"{name}_{number + 1}"
        self._names.add(free)
        return free
