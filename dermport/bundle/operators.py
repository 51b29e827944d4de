"""What a network consists of, as its manifest says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any


def operators_of(model: Any) -> dict[str, int]:
    """Return how often each layer type occurs in a Keras model, by name; nested models are opened, inputs left out."""
    return dict(sorted(Counter(type(layer).__name__ for layer in layers_of(model)).items()))


def layers_of(model: Any) -> Iterator[Any]:
    """Yield the layers that compute, in order; nested models are opened."""
    for layer in model.layers:
        if getattr(layer, "layers", None):
            yield from layers_of(layer)
        elif type(layer).__name__ != "InputLayer":
            yield layer
