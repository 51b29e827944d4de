"""The steps that recipes are made of; a recipe's ``kind`` chooses one. A new step is one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from compression.distillation.distil import Distil
from compression.distillation.student import Student
from compression.fine_tune import FineTune
from compression.pruning.prune_channels import PruneChannels
from compression.pruning.prune_magnitude import PruneMagnitude
from compression.quantisation.quantise import Quantise

AnyStep = Annotated[
    FineTune | Student | Distil | PruneChannels | PruneMagnitude | Quantise,
    Field(discriminator="kind"),
]
