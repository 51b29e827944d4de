"""What is asked of a cross-validation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from dermport.errors import UsageError
from dermport.options import Option, check_fields
from dermport.training.request import TrainingRequest

Keep = Literal["none", "median", "ensemble"]

_FOLDS = "Folds"


@dataclass(frozen=True)
class CrossValidationRequest:
    """What is asked of a cross-validation; each field says what it is.

    `training` is how each fold is trained; its ``out`` is the folder of the whole, its ``name`` the kept bundle's.

    Raises:
        UsageError: A number is out of range, the figure is unknown, or an ensemble is to have an answer rate.
    """

    training: TrainingRequest
    folds: Annotated[int, Option("How many, k.", ge=2, le=100, panel=_FOLDS)] = 5
    held_out: Annotated[
        float,
        Option(
            "Share of photos that no fold sees; the kept model is scored on them, once.", ge=0, le=0.5, panel=_FOLDS
        ),
    ] = 0.0
    validation: Annotated[
        float,
        Option(
            "Share of a fold's training photos that chooses its epochs, temperature and threshold.",
            gt=0,
            le=0.5,
            panel=_FOLDS,
        ),
    ] = 0.2
    keep: Annotated[
        Keep,
        Option(
            "What becomes OUT/bundle: the median fold's model, one that averages all folds' probabilities, or nothing.",
            panel=_FOLDS,
        ),
    ] = "none"
    by: Annotated[str, Option("The figure whose median names the fold, e.g. accuracy.", panel=_FOLDS)] = "macro_roc_auc"

    def __post_init__(self) -> None:
        from dermport.statistics.metrics import TITLES

        check_fields(self)
        if self.by not in TITLES:
            raise UsageError(
                f"{{by}} cannot be meant: there is no figure {self.by!r}.",
                remedy=f"{{by}} takes {', '.join(TITLES)}.",
                of=CrossValidationRequest,
            )
        if self.keep == "ensemble" and self.training.answer_rate is not None:
            raise UsageError(
                "An ensemble has no {answer_rate}: no photos are left that none of its members was tuned on.",
                remedy="Leave it out, or keep the median fold.",
                of=CrossValidationRequest,
            )

    @property
    def out(self) -> Path:
        """The folder of the whole."""
        return self.training.out

    @property
    def seed(self) -> int:
        """Of the folds and of every training."""
        return self.training.recipe.seed

    def fold_folder(self, fold: int) -> Path:
        """Return the folder of a fold's bundle, fold 1..k."""
        return self.out / f"fold-{fold}"

    @property
    def bundle_folder(self) -> Path:
        """The folder of the bundle that is kept."""
        return self.out / "bundle"

    def absolute(self) -> CrossValidationRequest:
        """Return the same with absolute paths, which mean the same in every process."""
        training = self.training
        weights = Path(training.recipe.weights)
        recipe = replace(training.recipe, weights=str(weights.absolute())) if weights.is_file() else training.recipe
        moved = replace(training, out=training.out.absolute(), data=training.data.absolute(), recipe=recipe)
        return replace(self, training=moved)

    def of_fold(self, fold: int) -> TrainingRequest:
        """Return what is asked of a fold's training."""
        name = f"{self.training.name[:55]}-fold-{fold}"
        return replace(self.training, out=self.fold_folder(fold), name=name)
