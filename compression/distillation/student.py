"""The student: MobileNetV2 of a smaller width, in place of the network that a step is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from bundle.errors import UsageError
from compression.context import Context, Outcome
from compression.pruning.importance import normalisation_scales
from compression.pruning.spaces import spaces_of
from compression.pruning.surgery import narrowed
from compression.step import Step
from training.model.network import DROPOUT, build_network
from training.model.weights import describe_weights
from training.recipe import Recipe

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

    def run(self, network: keras.Model, context: Context) -> Outcome:
        """Return a student for the input that `network` takes; see :class:`compression.step.Step`.

        Raises:
            UsageError: It would be wider than the network whose channels it is to be made of.
            DataError: The weights cannot be had, or do not fit.
        """
        recipe = Recipe(
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
            student, begins = cut(network, student), "from the most important channels of its parent"
        else:
            begins = f"from the weights {describe_weights(self.weights)}"
        figures = {"parameters": student.count_params(), "parameters_kept": student.count_params() / parameters}
        return Outcome(student, figures, (f"MobileNetV2 of width {self.alpha:g}, {begins}",), alpha=self.alpha)


def cut(network: keras.Model, student: keras.Model) -> keras.Model:
    """Return `network` with the widths of `student`: of each space, the channels of the largest |scale| are kept.

    Args:
        network: Stays as it is.
        student: Of the same layout; only its widths are looked at.

    Raises:
        UsageError: The student is wider somewhere.
    """
    spaces = spaces_of(network)
    widths = {space.name: space.width for space in spaces_of(student)}
    for space in spaces:
        if widths[space.name] > space.width:
            raise UsageError(
                f"The student has {widths[space.name]} channels after {space.name}, its parent {space.width}.",
                remedy="Choose a smaller `alpha`, or other `weights` than parent.",
            )
    worth = normalisation_scales(network, spaces)
    kept = {name: np.sort(np.argsort(-worth[name], kind="stable")[:width]) for name, width in widths.items()}
    return narrowed(network, spaces, kept)
