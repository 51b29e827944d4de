"""Which channels belong together: the layers that make them, carry them on and read them lose one channel as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dermport.errors import UsageError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that live and die together, e.g. those of an inverted residual between its expansion and projection.

    Attributes:
        name: The first layer that makes them, e.g. ``block_3_expand``.
        width: How many there are.
        writers: The convolutions whose outputs they are; several, where skip connections add those up.
        carriers: The layers with weights of their own for each channel: batch normalisation, depthwise convolutions.
        readers: The layers whose kernels have them as inputs.
        gates: For each writer, the layer after which its channels are as the readers (or an addition) meet them.
        hidden: Whether an activation follows; false for the stream of linear bottlenecks that blocks pass on.
        places: For readers behind a flattening, how many places one channel has there.
    """

    name: str
    width: int
    writers: tuple[str, ...]
    carriers: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    hidden: bool = False
    places: Mapping[str, int] = field(default_factory=dict)


def channel_groups(network: keras.Model) -> tuple[ChannelGroup, ...]:
    """Return the groups of a network whose channels may be left out, in the order in which they are made.

    The channels of the photo and the logits are none of them.

    Raises:
        UsageError: A layer is in the way whose channels cannot be followed.
    """
    tracer = _Tracer()
    for layer in network.operations:
        tracer.meet(layer)
    ends = {tracer.of(network.output)}
    return tuple(group for label, group in tracer.groups.items() if group.writers and label not in ends)


class _Tracer:
    """Follows tensors through the layers; each tensor belongs to one group, and additions make two groups one."""

    def __init__(self) -> None:
        self.groups: dict[int, ChannelGroup] = {}
        self._labels: dict[int, int] = {}  # by id of the tensor
        self._ends: dict[int, str] = {}  # by id of the tensor: the layer that gave it
        self._places: dict[int, int] = {}  # by label: how many values of a flat tensor are one channel's

    def of(self, tensor: keras.KerasTensor) -> int:
        """Return the label of a tensor's group."""
        return self._labels[id(tensor)]

    def meet(self, layer: keras.Layer) -> None:
        """Take in a layer, whose inputs' layers were met before."""
        import keras

        kinds = keras.layers
        if isinstance(layer, kinds.InputLayer):
            self._begin(layer, ChannelGroup(layer.name, int(layer.output.shape[-1]), ()))
        elif isinstance(layer, kinds.Conv2D | kinds.Dense) and getattr(layer, "groups", 1) == 1:
            self._read(layer)
            self._begin(layer, ChannelGroup(layer.name, int(layer.output.shape[-1]), (layer.name,)))
        elif isinstance(layer, kinds.Add | kinds.Multiply):
            self._add(layer)
        elif isinstance(layer, kinds.Flatten):
            self._flatten(layer)
        elif _keeps_channels(layer):
            self._carry(layer)
        else:
            raise UsageError(
                f"Channels cannot be followed through the layer {layer.name!r} ({type(layer).__name__}).",
                remedy="Whole channels go from convolutions, dense layers, additions and gates; `prune-magnitude` and "
                "`quantise` may do.",
            )

    def _begin(self, layer: keras.Layer, group: ChannelGroup) -> None:
        label = len(self._ends)
        self.groups[label] = group
        self._give(layer, label)

    def _give(self, layer: keras.Layer, label: int) -> None:
        self._labels[id(layer.output)], self._ends[id(layer.output)] = label, layer.name

    def _read(self, layer: keras.Layer) -> None:
        label = self.of(layer.input)
        group = self.groups[label]
        places = {**group.places, layer.name: self._places[label]} if layer.input.shape[-1] != group.width else {}
        self.groups[label] = replace(
            group,
            readers=(*group.readers, layer.name),
            gates=self._gates(group, layer.input),
            places={**group.places, **places},
        )

    def _gates(self, group: ChannelGroup, tensor: keras.KerasTensor) -> tuple[str, ...]:
        # What an addition gives is no writer's own: its terms are, and those were noted when it was met.
        return group.gates if len(group.gates) >= len(group.writers) else (*group.gates, self._ends[id(tensor)])

    def _add(self, layer: keras.Layer) -> None:
        for tensor in layer.input:
            label = self.of(tensor)
            self.groups[label] = replace(self.groups[label], gates=self._gates(self.groups[label], tensor))
        first, *others = sorted({self.of(tensor) for tensor in layer.input})
        for other in others:
            self._join(first, other)
        self._give(layer, first)

    def _join(self, first: int, other: int) -> None:
        one, two = self.groups[first], self.groups.pop(other)
        self.groups[first] = replace(
            one,
            writers=one.writers + two.writers,
            carriers=one.carriers + two.carriers,
            readers=one.readers + two.readers,
            gates=one.gates + two.gates,
            hidden=one.hidden or two.hidden,
            places={**one.places, **two.places},
        )
        self._labels = {tensor: first if label == other else label for tensor, label in self._labels.items()}

    def _carry(self, layer: keras.Layer) -> None:
        label = self.of(layer.input)
        group = self.groups[label]
        carriers = (*group.carriers, layer.name) if layer.weights else group.carriers
        self.groups[label] = replace(group, carriers=carriers, hidden=group.hidden or _activates(layer))
        self._give(layer, label)
        if type(layer).__name__.startswith("Global"):  # pooling: a channel is met before it, where a gate goes on
            self._ends[id(layer.output)] = self._ends[id(layer.input)]

    def _flatten(self, layer: keras.Layer) -> None:
        label = self.of(layer.input)
        self._places[label] = int(layer.output.shape[-1]) // self.groups[label].width
        self._give(layer, label)
        self._ends[id(layer.output)] = self._ends[id(layer.input)]


def _keeps_channels(layer: keras.Layer) -> bool:
    import keras

    kinds = keras.layers
    if isinstance(layer, kinds.DepthwiseConv2D):
        return bool(layer.depth_multiplier == 1)
    if isinstance(layer, kinds.Reshape):  # of a gate's [N, C] to [N, 1, 1, C]
        return bool(layer.output.shape[-1] == layer.input.shape[-1] and set(layer.output.shape[1:-1]) <= {1})
    return isinstance(
        layer,
        kinds.BatchNormalization
        | kinds.ReLU
        | kinds.LeakyReLU
        | kinds.Activation
        | kinds.ZeroPadding2D
        | kinds.AveragePooling2D
        | kinds.MaxPooling2D
        | kinds.GlobalAveragePooling2D
        | kinds.GlobalMaxPooling2D
        | kinds.Dropout
        | kinds.Resizing
        | kinds.Normalization
        | kinds.Rescaling,
    )


def _activates(layer: keras.Layer) -> bool:
    import keras

    return isinstance(layer, keras.layers.ReLU | keras.layers.LeakyReLU | keras.layers.Activation)


def layers_of(group: ChannelGroup) -> Iterator[str]:
    """Yield the names of all layers whose cost depends on a group's width."""
    yield from dict.fromkeys((*group.writers, *group.carriers, *group.readers))
