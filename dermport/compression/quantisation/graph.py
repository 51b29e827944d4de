"""A folded network as quantisation sees it: convolutions, what they read, and the tensors that devices store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import UsageError

if TYPE_CHECKING:
    import keras

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Kernel, in Keras' layout, and bias of a convolution."""
Weights = Mapping[str, Pair]
"""Of each convolution, by its layer's name."""

_AXES = {"Conv2D": 3, "DepthwiseConv2D": 2}
_KNOWN = {"InputLayer", "Rescaling", "ZeroPadding2D", "ReLU", "Add", "GlobalAveragePooling2D", "Dropout", "Dense"}


@dataclass(frozen=True)
class Node:
    """A layer with what it reads.

    Attributes:
        layer: The Keras layer.
        inputs: The names of the layers whose results it reads.
    """

    layer: Any
    inputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    @property
    def kind(self) -> str:
        """The layer's class, e.g. ``"DepthwiseConv2D"``."""
        return type(self.layer).__name__

    @property
    def convolves(self) -> bool:
        """Whether it has weights that are quantised."""
        return self.kind in _AXES

    @property
    def depthwise(self) -> bool:
        """Whether each channel has a filter of its own."""
        return self.kind == "DepthwiseConv2D"

    @property
    def axis(self) -> int:
        """The kernel's axis that counts output channels."""
        return _AXES[self.kind]

    @property
    def pointwise(self) -> bool:
        """Whether it mixes the channels of each place alone."""
        return self.kind == "Conv2D" and self.layer.kernel_size == (1, 1) and self.layer.strides == (1, 1)

    def weights(self) -> Pair:
        """Return a copy of a convolution's kernel and bias; zeros where it has none."""
        kernel, *bias = self.layer.get_weights()
        return kernel, bias[0] if bias else np.zeros(kernel.shape[self.axis], np.float32)


@dataclass(frozen=True)
class KerasGraph:
    """A folded network's layers in the order in which they run; each runs once."""

    nodes: tuple[Node, ...]

    @classmethod
    def of(cls, network: keras.Model) -> KerasGraph:
        """Read a folded network.

        Raises:
            UsageError: It has a layer that no integer model knows.
        """
        writers = {id(layer.output): layer.name for layer in network.operations}
        nodes = tuple(Node(layer, _inputs(layer, writers)) for layer in network.operations)
        for node in nodes:
            if (not node.convolves and node.kind not in _KNOWN) or "" in node.inputs:
                raise UsageError(
                    f"The layer {node.name} ({node.kind}) has no place in an integer model, or what it reads has none.",
                    remedy="Integer models know convolutions with relu, additions and average pooling before the last "
                    "layer. `dermport export --precision int8` quantises other networks, each target in its own way.",
                )
        return cls(nodes)

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def convolutions(self) -> tuple[Node, ...]:
        """The nodes whose weights are quantised, in order."""
        return tuple(node for node in self.nodes if node.convolves)

    def readers(self, name: str) -> tuple[Node, ...]:
        """Return the nodes that read a layer's result."""
        return tuple(node for node in self.nodes if name in node.inputs)

    def source(self, name: str) -> str:
        """Return the stored tensor that a layer reads, padding in between passed over."""
        (source,) = self.by_name[name].inputs
        return self.source(source) if self.by_name[source].kind == "ZeroPadding2D" else source

    def site(self, name: str) -> str:
        """Return the tensor that a convolution's result is stored as: after its relu, where it has one."""
        readers = self.readers(name)
        return readers[0].name if [reader.kind for reader in readers] == ["ReLU"] else name

    @cached_property
    def sites(self) -> tuple[str, ...]:
        """The tensors that devices store as int8, by the layer that writes them, in order."""
        written = {self.site(node.name) for node in self.convolutions}
        return tuple(n.name for n in self.nodes if n.name in written or n.kind in ("Rescaling", "Add"))

    def users(self, site: str) -> tuple[Node, ...]:
        """Return the layers that read a stored tensor, padding in between passed over."""
        found: list[Node] = []
        for reader in self.readers(site):
            found += self.readers(reader.name) if reader.kind == "ZeroPadding2D" else [reader]
        return tuple(found)

    def writer(self, site: str) -> Node | None:
        """Return the convolution whose result a stored tensor is, or None."""
        node = self.by_name[site]
        node = self.by_name[node.inputs[0]] if node.kind == "ReLU" else node
        return node if node.convolves else None

    def stored(self, floats: frozenset[str]) -> tuple[str, ...]:
        """Return the sites that are int8 where the convolutions `floats` stay in float.

        A tensor stays float where all convolutions that write or read it do.
        """
        return tuple(site for site in self.sites if self._touching(site) - floats)

    def _touching(self, site: str) -> frozenset[str]:
        writer = self.writer(site)
        users = {user.name for user in self.users(site) if user.convolves}
        return frozenset(users | ({writer.name} if writer else set()))


def weights_of(network: keras.Model) -> dict[str, Pair]:
    """Return a copy of the kernels and biases of a folded network's convolutions."""
    return {node.name: node.weights() for node in KerasGraph.of(network).convolutions}


def along(values: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
    """Return [channels] in the shape that multiplies a kernel of four axes along `axis`."""
    return values.reshape([-1 if place == axis else 1 for place in range(4)])


def _inputs(layer: keras.Layer, writers: Mapping[int, str]) -> tuple[str, ...]:
    """Return the names of the layers that a layer reads, "" for an operation that is none."""
    if type(layer).__name__ == "InputLayer":
        return ()
    read = layer.input if isinstance(layer.input, list) else [layer.input]
    return tuple(writers.get(id(tensor), "") for tensor in read)
