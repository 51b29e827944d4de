"""The steps that recipes are made of, by kind."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from compression.fine_tune import FineTune

AnyStep = Annotated[FineTune, Field(discriminator="kind")]
