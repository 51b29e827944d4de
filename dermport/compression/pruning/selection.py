"""Which channels go: those that are worth least for what they cost, until the network costs what it may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.compression.pruning.channel_groups import ChannelGroup, layers_of
from dermport.compression.pruning.importance import ImportanceScores
from dermport.errors import UsageError
from dermport.training.model.cost import Cost, cost_of, layer_cost, widths

if TYPE_CHECKING:
    import keras

KeptChannels = Mapping[str, NDArray[np.int64]]
"""By the name of a group: the indices of the channels that stay, ascending."""


@dataclass(frozen=True)
class PruningTarget:
    """What the network may cost, and how narrow a layer may become.

    Attributes:
        macs: Share of the multiply-accumulates to keep, 1 for all.
        parameters: Share of the parameters to keep, 1 for all.
        multiple: A narrowed layer has a multiple of this many channels.
        minimum: No layer becomes narrower than this.
    """

    macs: float = 1.0
    parameters: float = 1.0
    multiple: int = 16
    minimum: int = 16


class PruningPlan:
    """The widths of a network's groups, and what it costs with them.

    Args:
        network: As it is.
        groups: Of the network.
    """

    def __init__(self, network: keras.Model, groups: Sequence[ChannelGroup]) -> None:
        self.original = cost_of(network)
        self.width = {group.name: group.width for group in groups}
        self._groups = {group.name: group for group in groups}
        self._layers = {name: network.get_layer(name) for group in groups for name in layers_of(group)}
        self._reads = {name: group.name for group in groups for name in (*group.readers, *group.carriers)}
        self._makes = {name: group.name for group in groups for name in (*group.writers, *group.carriers)}
        self.cost = self.original

    def change(self, group: str, width: int) -> Cost:
        """Return what the network would cost, were one group of another width."""
        before = self._touched(group, self.width)
        after = self._touched(group, {**self.width, group: width})
        cost = self.cost
        return Cost(cost.macs - before.macs + after.macs, cost.parameters - before.parameters + after.parameters)

    def set(self, group: str, width: int) -> None:
        """Give a group another width."""
        self.cost = self.change(group, width)
        self.width[group] = width

    def _touched(self, group: str, width: Mapping[str, int]) -> Cost:
        names = layers_of(self._groups[group])
        return sum((self._cost_of(name, width) for name in names), Cost())

    def _cost_of(self, name: str, width: Mapping[str, int]) -> Cost:
        layer = self._layers[name]
        inputs, outputs = widths(layer)
        read, made = self._reads.get(name), self._makes.get(name)
        if read:
            inputs = width[read] * self._groups[read].places.get(name, 1)
        return layer_cost(layer, inputs, width[made] if made else outputs)


def choose(
    network: keras.Model, groups: Sequence[ChannelGroup], worth: ImportanceScores, target: PruningTarget
) -> KeptChannels:
    """Return the channels that stay.

    Chunks of channels go one after the other, the one first that is worth least for each share of the costs that it
    saves (of those not yet met); in the end, chunks come back where the network stays within the target with them.

    Args:
        network: As it is.
        groups: Those of its groups that may be narrowed.
        worth: Of their channels.
        target: What the network may cost.

    Raises:
        UsageError: The target cannot be met.
    """
    plan = PruningPlan(network, groups)
    ranked = {group.name: np.argsort(-worth[group.name], kind="stable") for group in groups}
    removed: list[tuple[str, int]] = []
    while not _met(plan.cost, plan.original, target):
        name, width = _cheapest(plan, worth, ranked, target)
        removed.append((name, plan.width[name]))
        plan.set(name, width)
    _give_back(plan, removed, target)
    return {name: np.sort(ranked[name][:width]) for name, width in plan.width.items()}


def _met(cost: Cost, original: Cost, target: PruningTarget) -> bool:
    return cost.macs <= target.macs * original.macs and cost.parameters <= target.parameters * original.parameters


def _cheapest(
    plan: PruningPlan, worth: ImportanceScores, ranked: Mapping[str, NDArray[np.int64]], target: PruningTarget
) -> tuple[str, int]:
    """Return the group to narrow next, and its width then."""
    prices: dict[tuple[str, int], float] = {}
    for name, width in plan.width.items():
        narrower = (width - 1) // target.multiple * target.multiple
        if narrower >= max(target.minimum, 1):
            lost = float(worth[name][ranked[name][narrower:width]].sum())
            prices[name, narrower] = lost / _saved(plan, plan.change(name, narrower), target)
    if not prices:
        raise UsageError(
            f"With no layer narrower than {target.minimum} channels, the network keeps "
            f"{plan.cost.macs / plan.original.macs:.0%} of its multiply-accumulates and "
            f"{plan.cost.parameters / plan.original.parameters:.0%} of its parameters.",
            remedy="Keep a larger share, or lower `minimum`.",
        )
    return min(prices, key=lambda choice: prices[choice])


def _saved(plan: PruningPlan, cost: Cost, target: PruningTarget) -> float:
    """Return the share of the original costs that a change saves, summed over the targets not yet met."""
    original, now = plan.original, plan.cost
    macs = (now.macs - cost.macs) / original.macs if now.macs > target.macs * original.macs else 0.0
    short = now.parameters > target.parameters * original.parameters
    return macs + ((now.parameters - cost.parameters) / original.parameters if short else 0.0)


def _give_back(plan: PruningPlan, removed: Sequence[tuple[str, int]], target: PruningTarget) -> None:
    """Widen groups again, the last narrowed first, where the target allows it."""
    done: set[str] = set()
    for name, width in reversed(removed):
        if name not in done and _met(plan.change(name, width), plan.original, target):
            plan.set(name, width)
        else:
            done.add(name)
