"""The steps that recipes are made of; a recipe's ``kind`` chooses one. A new step is one line here."""

from __future__ import annotations

from compression.fine_tune import FineTune

AnyStep = FineTune
