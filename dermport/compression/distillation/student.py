"""The student: MobileNetV2 of a smaller width, in place of the network that a step is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from dermport.compression.pruning.channel_groups import ChannelGroup, channel_groups
from dermport.compression.pruning.importance import (
    Importance,
    ImportanceScores,
    PruningSample,
    draw_sample,
    importance_scores,
)
from dermport.compression.pruning.selection import KeptChannels
from dermport.compression.pruning.surgery import pruned
from dermport.compression.step import CompressionStep, StepContext, StepResult
from dermport.errors import UsageError
from dermport.training.model.network import DROPOUT, build_network
from dermport.training.model.weights import describe_weights
from dermport.training.recipe import TrainingRecipe

if TYPE_CHECKING:
    import keras


class Student(CompressionStep):
    """Replace the network by a smaller one, which a step after this one has to train."""

    kind: Literal["student"] = "student"
    alpha: Annotated[float, Field(ge=0.35, le=1, description="width multiplier of MobileNetV2")] = 0.5
    weights: Annotated[
        str,
        Field(
            min_length=1,
            description="what it starts from: parent (the network's own most important channels), imagenet, none, "
            "or a weights FILE of keras.applications.MobileNetV2 without its top",
        ),
    ] = "parent"
    importance: Annotated[Importance, Field(description="by which the parent's channels are chosen")] = "taylor"
    rounds: Annotated[int, Field(ge=1, description="in how many goes the parent is cut, measured anew before each")] = 4
    photos: Annotated[int, Field(ge=8, description="training photos that the cut is measured on")] = 512

    def run(self, network: keras.Model, context: StepContext) -> StepResult:
        """Return a student for the input that `network` takes; see :class:`dermport.compression.step.CompressionStep`.

        Raises:
            UsageError: It would be wider than the network whose channels it is to be made of.
            DataError: The weights cannot be had, or do not fit.
        """
        recipe = TrainingRecipe(
            weights="none" if self.weights == "parent" else self.weights,
            alpha=self.alpha,
            size=int(network.input.shape[1]),
            dropout=float(network.get_layer(DROPOUT).rate),
            fine_tune="all",
            seed=context.seed,
        )
        student = build_network(recipe, context.classes)
        parameters = network.count_params()
        if self.weights == "parent":
            sample = draw_sample(context, self.photos)
            student = cut(network, student, sample, importance=self.importance, rounds=self.rounds)
            begins = "from the most important channels of its parent"
        else:
            begins = f"from the weights {describe_weights(self.weights)}"
        figures = {"parameters": student.count_params(), "parameters_kept": student.count_params() / parameters}
        return StepResult(student, figures, (f"MobileNetV2 of width {self.alpha:g}, {begins}",), alpha=self.alpha)


def cut(
    network: keras.Model, student: keras.Model, sample: PruningSample, *, importance: Importance, rounds: int
) -> keras.Model:
    """Return `network` with the widths of `student`; what stays takes over from what goes as far as it can.

    Each round narrows every group by the same factor: at a half at once, what a channel is worth beside all the others
    says little of what it is worth beside those that stay.

    Args:
        network: Its readers' weights change.
        student: Of the same layout; only its widths are looked at.
        sample: Photos that importance, least squares and statistics are measured on.
        importance: By which channels are chosen.
        rounds: In how many goes.

    Raises:
        UsageError: The student is wider somewhere.
    """
    goal = {group.name: group.width for group in channel_groups(student)}
    for group in channel_groups(network):
        if goal[group.name] > group.width:
            raise UsageError(
                f"The student has {goal[group.name]} channels after {group.name}, its parent {group.width}.",
                remedy="Choose a smaller `alpha`, or other `weights` than parent.",
            )
    for left in range(rounds, 0, -1):
        groups = channel_groups(network)
        if all(goal[group.name] == group.width for group in groups):
            break
        worth = importance_scores(importance, network, groups, sample)
        network = pruned(network, groups, _best(groups, worth, goal, left), sample.photos)
    return network


def _best(groups: Sequence[ChannelGroup], worth: ImportanceScores, goal: Mapping[str, int], left: int) -> KeptChannels:
    """Return the channels that stay in this round, `left` rounds before the goal: of each group those worth most."""
    widths = {group.name: round(group.width * (goal[group.name] / group.width) ** (1 / left)) for group in groups}
    return {name: np.sort(np.argsort(-worth[name], kind="stable")[:width]) for name, width in widths.items()}
