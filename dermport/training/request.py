"""What is asked of a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dermport.errors import UsageError
from dermport.training.evaluation.abstention import check_answer_rate
from dermport.training.recipe import Recipe


@dataclass(frozen=True)
class Request:
    """What is asked of a training.

    Attributes:
        data: The photos.
        out: The bundle's folder; must not exist.
        name: The bundle's name.
        task: A built-in task, or ``FILE.toml[:NAME]``.
        recipe: How to train.
        target_sensitivity: What the decision's threshold is chosen for, on validation photos.
        require_metadata: Whether photos with incomplete metadata are left out.
        lesion_pattern: How a file's name tells its lesion, for a folder per class.
        jobs: Threads that decode; None for one per processor.
        command: What a person typed, for the manifest.
        answer_rate: The share of the validation photos that is answered; of the others the model cannot tell. None
            answers every photo.
        split: A CSV of photo_id and part that parts the photos; None parts them by lesion, 64/16/20.
    """

    data: Path
    out: Path
    name: str
    task: str
    recipe: Recipe
    target_sensitivity: float = 0.9
    require_metadata: bool = False
    lesion_pattern: str | None = None
    jobs: int | None = None
    command: str = ""
    answer_rate: float | None = None
    split: Path | None = None

    def __post_init__(self) -> None:
        if not 0 < self.target_sensitivity <= 1:
            raise UsageError(f"--target-sensitivity {self.target_sensitivity:g} is not above 0 and at most 1.")
        if self.answer_rate is not None:
            check_answer_rate(self.answer_rate)

    def check_out(self) -> None:
        """Refuse to write over something, before anything is read.

        Raises:
            UsageError: The bundle's folder exists.
        """
        if self.out.exists():
            raise UsageError(f"{self.out} exists already.", remedy="Choose another --out, or remove the folder first.")
