"""A cross-validation whose folds are all trained."""

from __future__ import annotations

from dataclasses import dataclass

from dermport.bundle.manifest import ModelRef
from dermport.bundle.store import Bundle
from dermport.training.cross_validation.folds import Folds
from dermport.training.cross_validation.plan import FoldPlan
from dermport.training.cross_validation.predictions import OutOfFold
from dermport.training.cross_validation.request import CrossValidationRequest


@dataclass(frozen=True)
class TrainedFolds:
    """A cross-validation whose folds are all trained.

    Attributes:
        asked: What was asked.
        plan: As it was written down.
        folds: Which fold tested each photo.
        bundles: Of the folds, in order.
        found: What each model said of the photos that it was tested on.
    """

    asked: CrossValidationRequest
    plan: FoldPlan
    folds: Folds
    bundles: tuple[Bundle, ...]
    found: OutOfFold

    @property
    def members(self) -> tuple[ModelRef, ...]:
        """The folds' models, in order."""
        return tuple(
            ModelRef(name=one.manifest.name, version=one.manifest.version, model_sha256=one.model_sha256)
            for one in self.bundles
        )
