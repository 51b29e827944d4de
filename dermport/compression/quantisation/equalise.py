"""Cross-layer equalisation (Nagel et al. 2019, arXiv:1906.04721): channels of a tensor brought to like ranges.

A channel is multiplied where it is written and divided where it is read, which changes nothing in float. int8 with one
scale for a whole tensor then has as many steps for a small channel as for a large one. Three kinds of tensors differ:

* After relu6, a channel that clips at 6 must stay as it is, and any other may grow until its largest value is 6 (0.9 of
  it, for photos to come), no further: so relu6 clips what it did before, and nothing has to be turned into relu. Read
  by a depthwise convolution, whose weights have a scale for each channel, or by the pooling before the float
  classifier, that costs nothing. Read by a pointwise convolution, it makes the weights of a row less alike; how far to
  go is chosen by the predicted error.
* Linear tensors between the blocks: all that are joined by additions share their channels' factors.
* Linear tensors are also shifted to mean 0 (absorbing biases, section 4.1.3 there), since symmetric codes waste what a
  channel's mean takes: the next convolution's bias takes it in, exactly, as those are pointwise and have no padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.compression.quantisation.activation_statistics import ChannelStatistics, channel_statistics
from dermport.compression.quantisation.graph import KerasGraph, Node, along

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float64]

_CAP = 6.0
_CLIPS = 0.999  # of the cap: what reaches it may be clipped
_FILLED = 0.9  # of the cap, by a channel that grew: photos to come reach further than those for calibration
_GROWTH = 64.0  # at most: a channel that is nearly 0 says little about the photos to come
_POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
_LARGEST = 127
MIDDLE = -128  # what the code of level 0 is


@dataclass(frozen=True)
class EqualisationGroup:
    """Stored tensors whose channels must keep the same factors: one, or those that additions join."""

    sites: tuple[str, ...]
    clipped: bool


def equalised(network: keras.Model, photos: NDArray[np.uint8], *, filled: bool = False) -> keras.Model:
    """Return a network of the same function whose tensors' channels have like ranges.

    Args:
        network: A folded network; it stays as it is.
        photos: Calibration photos, uint8 [N, S, S, 3]; relu6 clips on them as it did.
        filled: Whether linear tensors grow as a whole until they fill the codes of the next power of two, for scales
            that are powers of two (:mod:`dermport.exporters.integer.exact`).
    """
    result = exact_image(network)
    graph = KerasGraph.of(result)
    _centre(graph, channel_statistics(result, photos))
    found = channel_statistics(result, photos)
    for group in groups(graph):
        caps = _caps(graph, group, found)
        factors = _factors(graph, group, found, caps=caps)
        if filled and not caps:
            factors = factors * _growth(float((_reach(group, found) * factors).max()), capped=group.clipped)
        _scale(graph, group, factors)
    return result


def exact_image(network: keras.Model) -> keras.Model:
    """Return a copy whose image is (level - 128) / 128: int8 codes of it are exact, and so is every float32 step.

    The first convolution makes up for the factor and the half level. Where its padding counts as 127.5, it now counts
    as 128.
    """
    import keras

    def clone(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if _is_normalisation(layer):
            config |= {"scale": 1 / -MIDDLE, "offset": -1.0}
        return layer.__class__.from_config(config)

    result = keras.models.clone_model(network, clone_function=clone)
    result.set_weights(network.get_weights())
    graph = KerasGraph.of(network)
    for site in (node for node in graph.nodes if _is_normalisation(node.layer)):
        shift = site.layer.offset - MIDDLE * site.layer.scale
        for user in graph.users(site.name):
            kernel, bias = user.layer.get_weights()
            moved = bias + kernel.sum(axis=(0, 1, 2)) * np.float32(shift)
            result.get_layer(user.name).set_weights([kernel * np.float32(-MIDDLE * site.layer.scale), moved])
    return result


def _is_normalisation(layer: keras.Layer) -> bool:
    """Whether a layer brings levels of 0..255 to -1..1."""
    return type(layer).__name__ == "Rescaling" and (layer.scale, layer.offset) == (1 / 127.5, -1.0)


def groups(graph: KerasGraph) -> tuple[EqualisationGroup, ...]:
    """Return the groups of tensors that can be equalised, in order; the image is none."""
    left = [site for site in graph.sites if graph.by_name[site].kind != "Rescaling"]
    found = []
    while left:
        sites = _joined(graph, left[0])
        left = [site for site in left if site not in sites]
        clipped = any(graph.by_name[site].kind == "ReLU" for site in sites)
        if _is_whole(graph, sites, clipped):
            found.append(EqualisationGroup(tuple(sites), clipped))
    return tuple(found)


def _joined(graph: KerasGraph, first: str) -> list[str]:
    sites = [first]
    for site in sites:
        near = [user.name for user in graph.users(site) if user.kind == "Add"]
        near += graph.by_name[site].inputs if graph.by_name[site].kind == "Add" else ()
        sites += [name for name in near if name not in sites]
    return sorted(sites, key=graph.sites.index)


def _is_whole(graph: KerasGraph, sites: list[str], clipped: bool) -> bool:
    """Whether every layer that writes or reads the tensors can take a factor."""
    caps = [graph.by_name[site].layer.max_value for site in sites if graph.by_name[site].kind == "ReLU"]
    users = [user for site in sites for user in graph.users(site)]
    takes = all(user.convolves or user.kind == "Add" or _dense_after(graph, user) for user in users)
    return takes and bool(users) and (not clipped or (len(sites) == 1 and caps in ([_CAP], [None])))


def _dense_after(graph: KerasGraph, node: Node) -> Node | None:
    """Return the dense layer that pooled features go to, dropout passed over; None where there is none."""
    if node.kind == "Dense":
        return node
    readers = graph.readers(node.name)
    passes = node.kind in ("GlobalAveragePooling2D", "Dropout") and len(readers) == 1
    return _dense_after(graph, readers[0]) if passes else None


def _centre(graph: KerasGraph, found: Mapping[str, ChannelStatistics]) -> None:
    for group in groups(graph):
        users = [user for site in group.sites for user in graph.users(site) if user.kind != "Add"]
        if group.clipped or not all(user.pointwise for user in users):
            continue
        for site in group.sites:
            mean, writer = found[site].mean, graph.writer(site)
            if writer is not None:
                kernel, bias = writer.layer.get_weights()
                writer.layer.set_weights([kernel, bias - mean.astype(np.float32)])
            for user in (user for user in graph.users(site) if user.convolves):
                kernel, bias = user.layer.get_weights()
                user.layer.set_weights([kernel, bias + (mean @ kernel[0, 0]).astype(np.float32)])


def _caps(graph: KerasGraph, group: EqualisationGroup, found: Mapping[str, ChannelStatistics]) -> bool:
    """Whether relu6 clips any channel."""
    cap = graph.by_name[group.sites[0]].layer.max_value if group.clipped else None
    return cap == _CAP and bool((_reach(group, found) >= _CAP * _CLIPS).any())


def _factors(
    graph: KerasGraph, group: EqualisationGroup, found: Mapping[str, ChannelStatistics], *, caps: bool
) -> Floats:
    """Return each channel's factor: the share of the way to equal ranges whose predicted error is least."""
    reach = _reach(group, found)
    most = np.minimum(reach.max() / np.maximum(reach, reach.max() / _GROWTH), _GROWTH)
    if caps:
        room = np.where(reach < _CAP * _CLIPS, _FILLED * _CAP / np.maximum(reach, _CAP / _GROWTH), 1.0)
        most = np.minimum(np.maximum(room, 1.0), _GROWTH)
    power = min(_POWERS, key=lambda power: _error(graph, group, found, most**power))
    return np.asarray(most**power)


def _reach(group: EqualisationGroup, found: Mapping[str, ChannelStatistics]) -> Floats:
    """Return each channel's largest absolute value, float64 [channels]."""
    return np.asarray(np.max([_largest(found[site]) for site in group.sites], axis=0))


def _largest(tensor: ChannelStatistics) -> Floats:
    return np.asarray(np.maximum(tensor.high, -tensor.low))


def _growth(reach: float, *, capped: bool) -> float:
    """Return the factor that brings a tensor's largest value to the codes' end at a power of two.

    The next one above; for what relu6 caps at 6, 127 / 32, the largest such below it.
    """
    steps = reach / _LARGEST
    return float(2.0 ** (-5 if capped else np.ceil(np.log2(steps))) / steps) if steps > 0 else 1.0


def _error(
    graph: KerasGraph, group: EqualisationGroup, found: Mapping[str, ChannelStatistics], factors: Floats
) -> float:
    """Return the predicted squared error of what reads the tensors, if rounding is even (a step's square / 12).

    An activation's error goes through the weights; a weight's goes with the activation's power. Depthwise convolutions
    and the float classifier have no error of weights that the factors could change.
    """
    error = 0.0
    for site in group.sites:
        tensor = found[site]
        step = (_largest(tensor) * factors).max() / _LARGEST
        for user in graph.users(site):
            rows = _rows(graph, user)
            error += float((rows**2 * (step / factors) ** 2).sum() / 12)
            if user.pointwise:
                steps = np.abs(rows / factors).max(axis=1) / _LARGEST
                error += float((steps**2).sum() * (tensor.square * factors**2).sum() / 12)
    return error


def _rows(graph: KerasGraph, user: Node) -> Floats:
    """Return the weights that read each channel, float64 [rows, channels]; ones for an addition."""
    if user.kind == "Add":
        return np.ones((1, 1))
    dense = _dense_after(graph, user)
    if dense is not None:
        return np.asarray(dense.layer.get_weights()[0].T, np.float64)
    kernel = user.layer.get_weights()[0].astype(np.float64)
    return np.asarray(np.moveaxis(kernel, 2, -1).reshape(-1, kernel.shape[2]))


def _scale(graph: KerasGraph, group: EqualisationGroup, factors: Floats) -> None:
    """Multiply the channels where they are written, and divide them where they are read."""
    for site in group.sites:
        writer = graph.writer(site)
        if writer is not None:
            kernel, bias = writer.layer.get_weights()
            scaled = kernel * along(factors, writer.axis)
            writer.layer.set_weights([scaled.astype(np.float32), (bias * factors).astype(np.float32)])
        for user in graph.users(site):
            dense = _dense_after(graph, user)
            if user.convolves or dense is not None:
                layer = (dense or user).layer
                kernel, *bias = layer.get_weights()
                inverse = along(1 / factors, 2) if user.convolves else 1 / factors[:, None]
                layer.set_weights([(kernel * inverse).astype(np.float32), *bias])
