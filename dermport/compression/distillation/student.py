"""The student: MobileNetV2 of a smaller width, in place of the network that a step is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from dermport.compression.context import Context, Outcome
from dermport.compression.pruning.importance import Importance, Worth, worth_of
from dermport.compression.pruning.prune_channels import pruned
from dermport.compression.pruning.sample import Sample, draw_sample
from dermport.compression.pruning.selection import Kept
from dermport.compression.pruning.spaces import Space, spaces_of
from dermport.compression.step import Step
from dermport.errors import UsageError
from dermport.training.model.network import DROPOUT, build_network
from dermport.training.model.weights import describe_weights
from dermport.training.recipe import TrainingRecipe

if TYPE_CHECKING:
    import keras


class Student(Step):
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

    def run(self, network: keras.Model, context: Context) -> Outcome:
        """Return a student for the input that `network` takes; see :class:`dermport.compression.step.Step`.

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
        return Outcome(student, figures, (f"MobileNetV2 of width {self.alpha:g}, {begins}",), alpha=self.alpha)


def cut(
    network: keras.Model, student: keras.Model, sample: Sample, *, importance: Importance, rounds: int
) -> keras.Model:
    """Return `network` with the widths of `student`; what stays takes over from what goes as far as it can.

    Each round narrows every space by the same factor: at a half at once, what a channel is worth beside all the others
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
    goal = {space.name: space.width for space in spaces_of(student)}
    for space in spaces_of(network):
        if goal[space.name] > space.width:
            raise UsageError(
                f"The student has {goal[space.name]} channels after {space.name}, its parent {space.width}.",
                remedy="Choose a smaller `alpha`, or other `weights` than parent.",
            )
    for left in range(rounds, 0, -1):
        spaces = spaces_of(network)
        if all(goal[space.name] == space.width for space in spaces):
            break
        worth = worth_of(importance, network, spaces, sample)
        network = pruned(network, spaces, _best(spaces, worth, goal, left), sample.photos)
    return network


def _best(spaces: Sequence[Space], worth: Worth, goal: Mapping[str, int], left: int) -> Kept:
    """Return the channels that stay in this round, `left` rounds before the goal: of each space those worth most."""
    widths = {space.name: round(space.width * (goal[space.name] / space.width) ** (1 / left)) for space in spaces}
    return {name: np.sort(np.argsort(-worth[name], kind="stable")[:width]) for name, width in widths.items()}
