"""What is asked of a cross-validation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dermport.errors import UsageError
from dermport.statistics.metrics import TITLES
from dermport.training.request import Request

Keep = Literal["none", "median", "ensemble"]


@dataclass(frozen=True)
class CrossValidation:
    """What is asked of a cross-validation.

    Attributes:
        training: How each fold is trained; its ``out`` is the folder of the whole, its ``name`` the kept bundle's.
        folds: How many, k.
        held_out: The share of photos that no fold sees, 0 or more.
        validation: The share of a fold's training photos that chooses its epochs, temperature and threshold.
        keep: What becomes ``OUT/bundle``: the model of the ``median`` fold, an ``ensemble`` of all, or ``none``.
        by: The figure (key of :data:`dermport.statistics.metrics.TITLES`) whose median names the fold.

    Raises:
        UsageError: A number is out of range, the figure is unknown, or an ensemble is to have an answer rate.
    """

    training: Request
    folds: int = 5
    held_out: float = 0.0
    validation: float = 0.2
    keep: Keep = "none"
    by: str = "macro_roc_auc"

    def __post_init__(self) -> None:
        checks = {
            "--folds": 2 <= self.folds <= 100,
            "--held-out": 0 <= self.held_out <= 0.5,
            "--validation": 0 < self.validation <= 0.5,
            "--by": self.by in TITLES,
        }
        if refused := [option for option, allowed in checks.items() if not allowed]:
            raise UsageError(
                f"{' and '.join(refused)} cannot be meant: out of range.",
                remedy=f"2 folds or more; shares of at most 0.5; --by takes {', '.join(TITLES)}.",
            )
        if self.keep == "ensemble" and self.training.answer_rate is not None:
            raise UsageError(
                "An ensemble has no --answer-rate: no photos are left that none of its members was tuned on.",
                remedy="Leave it out, or keep the median fold.",
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

    def absolute(self) -> CrossValidation:
        """Return the same with absolute paths, which mean the same in every process."""
        training = self.training
        weights = Path(training.recipe.weights)
        recipe = replace(training.recipe, weights=str(weights.absolute())) if weights.is_file() else training.recipe
        moved = replace(training, out=training.out.absolute(), data=training.data.absolute(), recipe=recipe)
        return replace(self, training=moved)

    def of_fold(self, fold: int) -> Request:
        """Return what is asked of a fold's training."""
        name = f"{self.training.name[:55]}-fold-{fold}"
        return replace(self.training, out=self.fold_folder(fold), name=name)
