"""The steps that recipes are made of; a recipe's ``kind`` chooses one. A new step is one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dermport.compression.distillation.distil import Distil
from dermport.compression.distillation.student import Student
from dermport.compression.fine_tune import FineTune
from dermport.compression.pruning.prune_channels import PruneChannels
from dermport.compression.pruning.prune_magnitude import PruneMagnitude
from dermport.compression.quantisation.quantise import Quantise

AnyStep = Annotated[
    FineTune | Student | Distil | PruneChannels | PruneMagnitude | Quantise,
    Field(discriminator="kind"),
]
