"""The plan of a cross-validation: what was asked and which fold tests each photo, fixed before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from dermport.bundle.atomic import write_json
from dermport.bundle.hashing import sha256_file
from dermport.bundle.manifest import TaskSpec
from dermport.contract import Contract, Sha256
from dermport.errors import BundleError, IntegrityError, UsageError
from dermport.training.cross_validation.folds import Folds, draw_folds, read_folds, write_folds
from dermport.training.cross_validation.request import CrossValidationRequest
from dermport.training.data.dataset import Dataset
from dermport.training.request import TrainingRequest
from dermport.training.run import differences

PLAN = "plan.json"
TABLE: Literal["folds.csv"] = "folds.csv"
SCHEMA: Literal["dermport-folds/1"] = "dermport-folds/1"


class FoldPlan(Contract):
    """The whole of ``plan.json``."""

    schema_version: Annotated[Literal["dermport-folds/1"], Field(alias="schema")] = SCHEMA
    asked: Annotated[dict[str, Any], Field(description="everything that decides a fold's result")]
    task: TaskSpec
    table: Literal["folds.csv"] = TABLE
    sha256: Annotated[Sha256, Field(description="of the table")]


def open_plan(asked: CrossValidationRequest, dataset: Dataset) -> tuple[FoldPlan, Folds]:
    """Draw the folds and write them down, or read those that an earlier run of the same request wrote.

    Raises:
        UsageError: The folder holds something else, or a cross-validation of other photos or options.
        IntegrityError: The table is not the one that was written.
        DataError: There are too few groups of photos.
    """
    path, table = asked.out / PLAN, asked.out / TABLE
    question = json.loads(json.dumps(_question(asked, dataset)))
    if path.is_file():
        plan = read_plan(asked.out)
        _refuse_changes(asked.out, plan, question)
        return plan, read_folds(table, dataset, count=asked.folds, validation=asked.validation, seed=asked.seed)
    if asked.out.is_dir() and any(one for one in asked.out.iterdir() if one.name != TABLE):
        raise UsageError(
            f"{asked.out} exists already, and holds no cross-validation.",
            remedy="Choose another {out}.",
            of=TrainingRequest,
        )
    folds = draw_folds(dataset, asked.folds, held_out=asked.held_out, validation=asked.validation, seed=asked.seed)
    plan = FoldPlan(asked=question, task=dataset.task.spec, sha256=write_folds(folds, table))
    write_json(path, plan.model_dump(mode="json", by_alias=True))
    return plan, folds


def read_plan(folder: Path) -> FoldPlan:
    """Read the plan of a cross-validation, its table of folds held against it.

    Raises:
        BundleError: There is none, or it is not of this version.
        IntegrityError: The table of folds is not the one that was written.
    """
    try:
        plan = FoldPlan.model_validate_json((folder / PLAN).read_bytes())
    except (FileNotFoundError, ValidationError) as error:
        raise BundleError(
            f"{folder / PLAN} is not the plan of a cross-validation.",
            remedy="Name a folder that `dermport cross-validate` wrote.",
        ) from error
    if not (folder / TABLE).is_file() or sha256_file(folder / TABLE) != plan.sha256:
        raise IntegrityError(
            f"{folder / TABLE} is not the table of folds that {PLAN} names.",
            remedy="Restore it, or start again in another {out}: the folds there were trained by the first table.",
            of=TrainingRequest,
        )
    return plan


def _refuse_changes(out: Path, plan: FoldPlan, question: dict[str, Any]) -> None:
    if changed := differences(plan.asked, question):
        raise UsageError(
            f"{out} holds a cross-validation with another {', '.join(changed)}.",
            remedy="Repeat its options and photos to go on with it, or choose another {out}.",
            of=TrainingRequest,
        )


def _question(asked: CrossValidationRequest, dataset: Dataset) -> dict[str, Any]:
    """Return what a later run is held against; neither engine, nor jobs, nor what is kept changes a fold."""
    training = asked.training
    return {
        "folds": asked.folds,
        "held_out": asked.held_out,
        "validation": asked.validation,
        "dataset": dataset.fingerprint,
        "task": dataset.task.spec.name,
        "recipe": training.recipe.to_json(),
        "target_sensitivity": training.target_sensitivity,
        "answer_rate": training.answer_rate,
        "require_metadata": training.require_metadata,
        "lesion_pattern": training.lesion_pattern,
    }
