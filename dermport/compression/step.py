"""What a step of a recipe is: its options as validated data, and one call."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from dermport.compression.context import Context, Outcome
from dermport.contract import Contract

if TYPE_CHECKING:
    import keras


class Step(Contract):
    """A step of a recipe; its fields are the options of its ``[[step]]`` table, and `kind` tells which step it is.

    A new step is a class here below with a ``kind: Literal["its-name"]``, and a line in
    :mod:`dermport.compression.steps`.
    """

    @abstractmethod
    def run(self, network: keras.Model, context: Context) -> Outcome:
        """Return the changed network with what was measured.

        Args:
            network: As :mod:`dermport.compression.network` says; the step may change it in place.
            context: The parent, the photos, a folder for checkpoints. A step that trains goes on from its checkpoints,
                so that a killed run ends with the same weights as one that was not.

        Raises:
            DermportError: The options do not fit this network or these photos.
        """
