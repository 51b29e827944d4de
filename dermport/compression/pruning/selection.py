"""Which channels go: those that are worth least for what they cost, until the network costs what it may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.compression.pruning.importance import Worth
from dermport.compression.pruning.spaces import Space, layers_of
from dermport.errors import UsageError
from dermport.training.model.cost import Cost, cost_of, layer_cost, widths

if TYPE_CHECKING:
    import keras

Kept = Mapping[str, NDArray[np.int64]]
"""By the name of a space: the indices of the channels that stay, ascending."""


@dataclass(frozen=True)
class Target:
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


class Plan:
    """The widths of a network's spaces, and what it costs with them.

    Args:
        network: As it is.
        spaces: Of the network.
    """

    def __init__(self, network: keras.Model, spaces: Sequence[Space]) -> None:
        self.original = cost_of(network)
        self.width = {space.name: space.width for space in spaces}
        self._spaces = {space.name: space for space in spaces}
        self._layers = {name: network.get_layer(name) for space in spaces for name in layers_of(space)}
        self._reads = {name: space.name for space in spaces for name in (*space.readers, *space.carriers)}
        self._makes = {name: space.name for space in spaces for name in (*space.writers, *space.carriers)}
        self.cost = self.original

    def change(self, space: str, width: int) -> Cost:
        """Return what the network would cost, were one space of another width."""
        before = self._touched(space, self.width)
        after = self._touched(space, {**self.width, space: width})
        cost = self.cost
        return Cost(cost.macs - before.macs + after.macs, cost.parameters - before.parameters + after.parameters)

    def set(self, space: str, width: int) -> None:
        """Give a space another width."""
        self.cost = self.change(space, width)
        self.width[space] = width

    def _touched(self, space: str, width: Mapping[str, int]) -> Cost:
        names = layers_of(self._spaces[space])
        return sum((self._cost_of(name, width) for name in names), Cost())

    def _cost_of(self, name: str, width: Mapping[str, int]) -> Cost:
        layer = self._layers[name]
        inputs, outputs = widths(layer)
        read, made = self._reads.get(name), self._makes.get(name)
        return layer_cost(layer, width[read] if read else inputs, width[made] if made else outputs)


def choose(network: keras.Model, spaces: Sequence[Space], worth: Worth, target: Target) -> Kept:
    """Return the channels that stay.

    Chunks of channels go one after the other, the one first that is worth least for each share of the costs that it
    saves (of those not yet met); in the end, chunks come back where the network stays within the target with them.

    Args:
        network: As it is.
        spaces: Those of its spaces that may be narrowed.
        worth: Of their channels.
        target: What the network may cost.

    Raises:
        UsageError: The target cannot be met.
    """
    plan = Plan(network, spaces)
    ranked = {space.name: np.argsort(-worth[space.name], kind="stable") for space in spaces}
    removed: list[tuple[str, int]] = []
    while not _met(plan.cost, plan.original, target):
        name, width = _cheapest(plan, worth, ranked, target)
        removed.append((name, plan.width[name]))
        plan.set(name, width)
    _give_back(plan, removed, target)
    return {name: np.sort(ranked[name][:width]) for name, width in plan.width.items()}


def _met(cost: Cost, original: Cost, target: Target) -> bool:
    return cost.macs <= target.macs * original.macs and cost.parameters <= target.parameters * original.parameters


def _cheapest(plan: Plan, worth: Worth, ranked: Mapping[str, NDArray[np.int64]], target: Target) -> tuple[str, int]:
    """Return the space to narrow next, and its width then."""
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


def _saved(plan: Plan, cost: Cost, target: Target) -> float:
    """Return the share of the original costs that a change saves, summed over the targets not yet met."""
    original, now = plan.original, plan.cost
    macs = (now.macs - cost.macs) / original.macs if now.macs > target.macs * original.macs else 0.0
    short = now.parameters > target.parameters * original.parameters
    return macs + ((now.parameters - cost.parameters) / original.parameters if short else 0.0)


def _give_back(plan: Plan, removed: Sequence[tuple[str, int]], target: Target) -> None:
    """Widen spaces again, the last narrowed first, where the target allows it."""
    done: set[str] = set()
    for name, width in reversed(removed):
        if name not in done and _met(plan.change(name, width), plan.original, target):
            plan.set(name, width)
        else:
            done.add(name)
