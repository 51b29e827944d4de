"""The whole of a compression: open the parent, read its photos, take the steps, write the child's bundle."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.bundle.hashing import sha256_json
from dermport.bundle.manifest import Compression, Manifest, ModelRef, Preprocessing, StepRecord
from dermport.bundle.store import Bundle
from dermport.compression.network import network_of
from dermport.compression.recipe import CompressionRecipe, load_recipe
from dermport.compression.step import CompressionStep, StepContext, StepResult
from dermport.errors import DataError, UsageError
from dermport.progress import Progress
from dermport.training.assemble import BundleDescription, assemble
from dermport.training.data.dataset import reopen_dataset
from dermport.training.data.splits import Split, read_split
from dermport.training.parts import PartPhotos, SplitPhotos
from dermport.training.phases.state import EpochFigures
from dermport.training.request import bundle_name
from dermport.training.run import TrainingRun, close_run, open_run

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class CompressionRequest:
    """What is asked of a compression.

    Attributes:
        parent: The bundle's folder.
        recipe: What is done to it.
        data: The data set that the parent was trained on; its own split is kept.
        out: The child's folder; must not exist.
        name: The child's name.
        seed: Of everything random.
        jobs: Threads that decode; None for one per processor.
        command: What a person typed, for the manifest.
    """

    parent: Path
    recipe: CompressionRecipe
    data: Path
    out: Path
    name: str
    seed: int = 0
    jobs: int | None = None
    command: str = ""

    def __post_init__(self) -> None:
        if self.out.exists():
            raise UsageError(
                f"{self.out} exists already.",
                remedy="Choose another {out}, or remove the folder first.",
                of=CompressionRequest,
            )

    @classmethod
    def of(
        cls,
        parent: Path,
        recipe: str,
        data: Path,
        *,
        changes: Sequence[str] = (),
        out: Path | None = None,
        name: str = "",
        seed: int = 0,
        jobs: int | None = None,
        command: str = "",
    ) -> CompressionRequest:
        """Return a request for a named recipe, changed; without `out` the child comes beside its parent.

        Raises:
            UsageError: There is no such recipe or option, or the child exists.
        """
        loaded = load_recipe(recipe, changes)
        folder = out or parent.resolve().parent / f"{parent.resolve().name}-{loaded.name}"
        return cls(parent, loaded, data, folder, name or bundle_name(folder), seed, jobs, command)


def compress(request: CompressionRequest, progress: Progress) -> Bundle:
    """Take a recipe's steps and write the child's bundle; a killed run of the same request goes on where it was.

    Raises:
        UsageError: The child exists, or an unfinished run there was asked for something else.
        BundleError: The parent is damaged, or not laid out as ``dermport train`` writes it.
        DataError: The photos are not those that the parent was trained on.
    """
    parent = Bundle.open(request.parent)
    split = split_of(parent, request.data, jobs=request.jobs, progress=progress)
    run = open_run(request.out, _identity(request, parent), request.command)
    if run.resumed:
        progress.say(f"Going on with the compression in {run.folder}.")
    context = context_of(request, parent, split, run, progress)
    results = take_steps(request.recipe, context)
    description = _describe(request, parent, results)
    child = assemble(description, context.parts, results[-1].network, progress)
    close_run(request.out)
    return child


def split_of(parent: Bundle, data: Path, *, jobs: int | None, progress: Progress) -> Split:
    """Read the data set that `parent` was trained on, parted as it was then.

    Raises:
        DataError: It is another data set.
    """
    manifest = parent.manifest
    with progress.bar("Reading photos") as update:
        dataset = reopen_dataset(manifest, data, jobs=jobs, update=update)
    if dataset.fingerprint != manifest.known_dataset.fingerprint:
        raise DataError(
            f"{data} is not the data set that {manifest.name} was trained on (other fingerprint).",
            remedy="Name the very photos: the parent's split keeps test photos out of what is trained.",
        )
    split = read_split(parent.file(manifest.known_dataset.split.file), dataset)
    return replace(split, seed=manifest.known_dataset.split.seed)


def context_of(
    request: CompressionRequest, parent: Bundle, split: Split, run: TrainingRun, progress: Progress
) -> StepContext:
    """Return what the steps work with."""
    spec = preprocessing_of(request.recipe, parent.manifest)
    train, validation, test = (
        PartPhotos(split, part, spec, request.jobs, progress, run.photos) for part in ("train", "validation", "test")
    )
    return StepContext(parent, SplitPhotos(train, validation, test), run.folder, run.cache, request.seed, progress)


def preprocessing_of(recipe: CompressionRecipe, parent: Manifest) -> Preprocessing:
    """Return what the child's photos go through: as the parent's, at the recipe's size."""
    before = parent.preprocessing
    return before.model_copy(update={"size": recipe.size or before.size})


def take_steps(recipe: CompressionRecipe, context: StepContext) -> list[StepResult]:
    """Return what each step of the recipe gave back; finished ones are read from the context's folder."""
    network = network_of(context.parent, size=recipe.size, dropout=recipe.dropout)
    results: list[StepResult] = []
    for number, step in enumerate(recipe.step, start=1):
        folder = context.folder / f"{number:02d}-{step.kind}"
        result = StepResult.load(folder)
        if result is None:
            context.progress.say(f"Step {number} of {len(recipe.step)}: {step.kind}")
            result = _timed(step, network, replace(context, folder=folder))
            result.save(folder)
        network = result.network
        results.append(result)
    return results


def _timed(step: CompressionStep, network: keras.Model, context: StepContext) -> StepResult:
    """Take a step; what it took before it was killed counts as far as its epochs tell."""
    started = time.perf_counter()
    result = step.run(network, context)
    for name, value in result.figures.items():
        context.progress.say(f"  {name}: {value:.4g}")
    epochs = sum(epoch.seconds for epoch in result.history)
    return replace(result, seconds=max(time.perf_counter() - started, epochs))


def _identity(request: CompressionRequest, parent: Bundle) -> dict[str, object]:
    return {
        "parent": parent.model_sha256,
        "recipe": request.recipe.model_dump(mode="json"),
        "seed": request.seed,
        "split": sha256_json(parent.manifest.known_dataset.split.model_dump(mode="json")),
    }


def _describe(request: CompressionRequest, parent: Bundle, results: Sequence[StepResult]) -> BundleDescription:
    before, recipe = parent.manifest, request.recipe
    records = tuple(
        StepRecord(
            kind=step.kind,
            settings=step.model_dump(mode="json", exclude={"kind"}),
            figures={name: round(float(value), 6) for name, value in result.figures.items()},
            notes=result.notes,
        )
        for step, result in zip(recipe.step, results, strict=True)
    )
    origin = ModelRef(name=before.name, version=before.version, model_sha256=parent.model_sha256)
    alphas = [result.alpha for result in results if result.alpha is not None]
    return BundleDescription(
        out=request.out,
        name=request.name,
        data=request.data,
        command=request.command,
        seed=request.seed,
        preprocessing=preprocessing_of(recipe, before),
        target_sensitivity=before.decision.target_sensitivity if before.decision else None,
        answer_rate=before.abstention.answer_rate if before.abstention else None,
        architecture="MobileNetV2" if alphas else before.model.architecture,
        origin=before.origin,
        alpha=[before.model.alpha, *alphas][-1],
        weights=before.model.weights,
        history=_history(results),
        words={"Made from": f"{before.name} {before.version}", **_in_words(records)},
        seconds=sum(result.seconds for result in results),
        lesion_pattern=before.known_dataset.lesion_pattern,
        compression=Compression(parent=origin, recipe=recipe.name, summary=recipe.summary, steps=records),
    )


def _history(results: Sequence[StepResult]) -> tuple[EpochFigures, ...]:
    return tuple(
        replace(epoch, phase=f"{number} {epoch.phase}")
        for number, result in enumerate(results, start=1)
        for epoch in result.history
    )


def _in_words(records: Sequence[StepRecord]) -> dict[str, object]:
    """Return a line for each step, for the model card's table."""
    words: dict[str, object] = {}
    for number, record in enumerate(records, start=1):
        figures = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in record.figures.items())
        words[f"Step {number}"] = "; ".join(filter(None, (record.kind, figures, *record.notes)))
    return words
