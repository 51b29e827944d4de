"""What is asked of a training."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from dermport.errors import UsageError
from dermport.options import DataPath, Jobs, Option, OutPath, check_fields
from dermport.training.recipe import TrainingRecipe

_PHOTOS = "Photos"


@dataclass(frozen=True)
class TrainingRequest:
    """What is asked of a training; each field says what it is.

    `recipe` is how to train, and `command` what a person typed, for the manifest.

    Raises:
        UsageError: A value is out of range.
    """

    data: DataPath
    out: OutPath
    name: Annotated[str, Option("The bundle's name. Default: the last part of --out.")] = ""
    task: Annotated[str, Option("ham7, cancer, or a grouping table of your own: FILE.toml[:NAME].")] = "ham7"
    recipe: TrainingRecipe = field(default_factory=TrainingRecipe)
    target_sensitivity: Annotated[float, Option("What the decision's threshold is chosen for.", gt=0, le=1)] = 0.9
    require_metadata: Annotated[bool, Option("Leave out photos with incomplete metadata.", panel=_PHOTOS)] = False
    lesion_pattern: Annotated[
        str | None,
        Option(
            "For a folder per class: a regular expression whose first group, in a file's name, is the lesion.",
            panel=_PHOTOS,
        ),
    ] = None
    jobs: Jobs = 0
    command: str = ""
    answer_rate: Annotated[
        float | None,
        Option(
            "Share of the validation photos to answer; of others the model cannot tell. Default: answers all.",
            gt=0,
            le=1,
        ),
    ] = None
    split: Annotated[
        Path | None,
        Option(
            "A CSV with photo_id and part (train, validation, test), such as another bundle's split.csv; or the word "
            "predefined: the parts that the data set comes with. Default: 64/16/20 by lesion.",
            panel=_PHOTOS,
        ),
    ] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or bundle_name(self.out))
        check_fields(self)


def bundle_name(out: Path) -> str:
    """Return the folder's name as a bundle's name may be: small letters, digits and ``._-``."""
    return re.sub(r"[^a-z0-9._-]+", "-", out.resolve().name.lower()).lstrip("._-")[:64] or "model"


def refuse_existing(out: Path, of: type) -> None:
    """Refuse to write over something, before anything is read.

    Args:
        out: The bundle's folder.
        of: The request that names it.

    Raises:
        UsageError: It exists.
    """
    if out.exists():
        raise UsageError(f"{out} exists already.", remedy="Choose another {out}, or remove the folder first.", of=of)
