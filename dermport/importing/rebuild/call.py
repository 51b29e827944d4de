"""What a lowering sees: one operator with the tensors that it reads, as Keras has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ModelError
from dermport.importing.rebuild.graph import GraphNode

Layout = Literal["NCHW", "NHWC", "flat"]


@dataclass(frozen=True)
class LoweredTensor:
    """A tensor of the graph as Keras has it.

    Attributes:
        tensor: Keras', [N, H, W, C] or [N, F].
        layout: Of the ONNX tensor that it stands for.
        order: Of a flat tensor that ONNX has in another order than Keras: the (channels, height, width) it was made of.
        mirrored: Whether ONNX has the channels (RGB) the other way round.
    """

    tensor: Any
    layout: Layout
    order: tuple[int, int, int] | None = None
    mirrored: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """As ONNX has it, one photo at a time: [1, C, H, W], [1, H, W, C] or [1, F]."""
        sizes = tuple(self.tensor.shape[1:])
        return (1, sizes[2], *sizes[:2]) if self.layout == "NCHW" else (1, *sizes)

    def with_tensor(self, tensor: Any) -> LoweredTensor:
        """Return another tensor of the same layout."""
        return replace(self, tensor=tensor)

    def axis(self, axis: int) -> int:
        """Return Keras' axis for one of ONNX's."""
        axis %= len(self.shape)
        return {0: 0, 1: 3, 2: 1, 3: 2}[axis] if self.layout == "NCHW" else axis

    def spread(self, constant: NDArray[Any]) -> NDArray[np.float32]:
        """Return a constant that is broadcast to the tensor, in Keras' order of axes, of the tensor's rank."""
        values = np.asarray(constant, np.float32)
        values = values.reshape((1,) * (len(self.shape) - values.ndim) + values.shape)
        if self.layout == "NCHW":
            values = values.transpose(0, 2, 3, 1)
        return values[..., ::-1] if self.mirrored else values


@dataclass(frozen=True)
class LoweringCall:
    """One operator to be lowered.

    Attributes:
        node: The operator.
        inputs: What it reads: tensors, constants, or None where an optional one is left out.
        counts: Of layers by type, for their names.
    """

    node: GraphNode
    inputs: tuple[LoweredTensor | NDArray[Any] | None, ...]
    counts: Counter[str]

    def tensor(self, place: int = 0) -> LoweredTensor:
        """Return an input that must be computed."""
        found = self.inputs[place]
        return found if isinstance(found, LoweredTensor) else self.refuse(f"its input {place + 1} is a constant")

    def image(self) -> LoweredTensor:
        """Return the first input, which must be [N, C, H, W] in ONNX's order."""
        value = self.tensor()
        return value if value.layout == "NCHW" else self.refuse("its input is not laid out as N, C, H, W")

    def constant(self, place: int) -> NDArray[Any]:
        """Return an input that must be a constant."""
        found = self.optional(place)
        return self.refuse(f"its input {place + 1} is left out") if found is None else found

    def optional(self, place: int) -> NDArray[Any] | None:
        """Return an input that must be a constant where it is there."""
        found = self.inputs[place] if place < len(self.inputs) else None
        return self.refuse(f"its input {place + 1} is computed") if isinstance(found, LoweredTensor) else found

    def setting(self, attribute: str, place: int, default: Any = None) -> Any:
        """Return what older opsets have as an attribute and newer ones as an input, as a list or number."""
        found = self.optional(place)
        return self.node.attributes.get(attribute, default) if found is None else found.tolist()

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute."""
        return self.node.attributes.get(name, default)

    def named(self, kind: str = "") -> str:
        """Return a name for a layer, such as ``conv_7``."""
        kind = kind or self.node.type.lower()
        self.counts[kind] += 1
        return f"{kind}_{self.counts[kind]}"

    def refuse(self, why: str) -> Any:
        """Say that this operator cannot be taken over as it is used here.

        Raises:
            ModelError: Always.
        """
        raise ModelError(
            f"The operator {self.node.type} ({self.node.name}) cannot be rebuilt: {why}.",
            remedy="Export the classifier without it, or file an issue with the model's graph.",
        )


Lowering = Callable[[LoweringCall], LoweredTensor]
LOWERINGS: dict[str, Lowering] = {}
"""By ONNX operator type; each file of this folder adds its own."""


def lowers(*types: str) -> Callable[[Lowering], Lowering]:
    """Return a decorator that enters a lowering for operator types."""

    def entered(lowering: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(types, lowering))
        return lowering

    return entered
