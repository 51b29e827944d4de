"""The whole matrix in one go: every target and precision that changed, in parallel, each renamed into place whole."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.bundle.atomic import atomic_directory
from dermport.bundle.export_record import ExportRecord, SourceRef
from dermport.bundle.hashing import sha256_file, sha256_json
from dermport.bundle.store import RECORD, Bundle, Export, file_entries, write_record
from dermport.contract import FileEntry
from dermport.errors import BundleError, IntegrityError
from dermport.exporters.contract import PrecisionRecipe, Target
from dermport.exporters.integer.proof import proof_of, recipe_for
from dermport.exporters.maps import SETTING, with_map
from dermport.exporters.source import CALIBRATION_FILE, load_source
from dermport.progress import Update

if TYPE_CHECKING:
    from dermport.exporters.contract import Description

# what a recipe says beside what its artifact is made by
_NOT_DECIDING = ("optional", "integers")
Selection = list[tuple[Target, tuple[PrecisionRecipe, ...]]]


@dataclass(frozen=True)
class ExportOutcome:
    """What became of one target and precision.

    Attributes:
        export: The artifact with its record.
        fresh: Whether it was made now; false where the finished one was still right.
    """

    export: Export
    fresh: bool


def key_of(bundle: Bundle, target: Target, recipe: PrecisionRecipe) -> str:
    """Return the sha256 over everything that the artifact's bytes depend on."""
    manifest = bundle.manifest
    calibration = [e.sha256 for e in manifest.files if e.path == CALIBRATION_FILE] if recipe.calibrated else []
    deciding = {name: value for name, value in asdict(recipe).items() if name not in _NOT_DECIDING}
    return sha256_json(
        {
            "bundle": [manifest.name, manifest.version, bundle.model_sha256],
            "task": manifest.task.model_dump(mode="json"),
            "preprocessing": manifest.preprocessing.model_dump(mode="json"),
            "target": target.capabilities.name,
            "recipe": deciding | {"settings": dict(recipe.settings)},
            "calibration": calibration,
            "tools": tool_versions(target),
        }
    )


def tool_versions(target: Target) -> dict[str, str]:
    """Return the installed versions of the distributions that decide the artifact's bytes, dermport among them."""
    installed = {}
    for name in ("dermport", *target.capabilities.tools):
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed[name] = "absent"
    return installed


def with_maps(selection: Selection) -> Selection:
    """Return the selection with recipes whose artifacts give class activation maps too, where their target can."""
    return [
        (target, tuple(_mapped(r) for r in recipes) if target.capabilities.maps else recipes)
        for target, recipes in selection
    ]


def _mapped(recipe: PrecisionRecipe) -> PrecisionRecipe:
    return replace(recipe, settings={**recipe.settings, SETTING: True})


def export_matrix(
    bundle: Bundle, selection: Selection, *, jobs: int = 0, force: bool = False, update: Update | None = None
) -> list[ExportOutcome]:
    """Export every selected target and precision that is missing or stale.

    Args:
        bundle: What to export.
        selection: Targets with their recipes (see :func:`dermport.exporters.registry.select` and :func:`with_maps`).
        jobs: Processes; 0 is one per core. A target is the unit of work, because its precisions share a conversion.
        force: Export even what is still right.
        update: Called with the number of finished artifacts.

    Raises:
        ExportError: A conversion failed. What was finished before stays.
    """
    stale = [(t, tuple(r for r in recipes if force or not _is_current(bundle, t, r))) for t, recipes in selection]
    work = [(target, recipes) for target, recipes in stale if recipes]
    total = sum(len(recipes) for _, recipes in selection)
    done = total - sum(len(recipes) for _, recipes in work)
    if update is not None:
        update(done, total)
    for finished in _export_all(bundle.path, work, jobs or os.cpu_count() or 1):
        done += finished
        if update is not None:
            update(done, total)
    made = {(target.capabilities.name, r.precision) for target, recipes in work for r in recipes}
    names = [(target.capabilities.name, r.precision) for target, recipes in selection for r in recipes]
    return [ExportOutcome(bundle.export(*name), name in made) for name in names]


def _is_current(bundle: Bundle, target: Target, recipe: PrecisionRecipe) -> bool:
    try:
        export = bundle.export(target.capabilities.name, recipe.precision)
        export.checked()
    except (BundleError, IntegrityError):
        return False
    return export.record.key == key_of(bundle, target, recipe)


def _export_all(path: Path, work: Selection, jobs: int) -> Iterator[int]:
    if len(work) <= 1 or jobs == 1:
        for target, recipes in work:
            yield export_target(path, target, recipes)
        return
    # Spawned, not forked: TensorFlow's threads do not survive a fork.
    with ProcessPoolExecutor(min(jobs, len(work)), mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(export_target, path, target, recipes) for target, recipes in work]
        for future in as_completed(futures):
            yield future.result()


def export_target(path: Path, target: Target, recipes: tuple[PrecisionRecipe, ...]) -> int:
    """Export some precisions of one target into the bundle at `path`; return how many. Runs in a worker process.

    The recipes agree in whether artifacts give maps (see :func:`with_maps`).
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    bundle = Bundle.open(path)
    name = target.capabilities.name
    started = time.perf_counter()
    with ExitStack() as stack:
        folders = {
            r.precision: stack.enter_context(atomic_directory(bundle.export_folder(name, r.precision), replace=True))
            for r in recipes
        }
        source = load_source(bundle)
        if any(SETTING in recipe.settings for recipe in recipes):
            source = replace(source, model=with_map(source.model))
        done = {recipe.precision: recipe_for(recipe, source) for recipe in recipes}
        target.convert(source, tuple(done.values()), folders)
        seconds = (time.perf_counter() - started) / len(recipes)
        for recipe in recipes:
            folder = folders[recipe.precision]
            key = key_of(bundle, target, recipe)
            write_record(folder, _record(bundle, target, done[recipe.precision], folder, seconds, key=key))
    return len(recipes)


def _record(
    bundle: Bundle, target: Target, recipe: PrecisionRecipe, folder: Path, seconds: float, *, key: str
) -> ExportRecord:
    description: Description = target.describe(folder)
    files = file_entries(folder, exclude=(RECORD,))
    artifact = target.capabilities.artifact
    size, sha256 = _identity(folder, artifact, files)
    return ExportRecord(
        target=target.capabilities.name,
        precision=recipe.precision,
        bundle=SourceRef(name=bundle.manifest.name, version=bundle.manifest.version, model_sha256=bundle.model_sha256),
        preprocessing=bundle.manifest.preprocessing.id,
        labels=bundle.manifest.task.ids,
        artifact=artifact,
        artifact_bytes=size,
        artifact_sha256=sha256,
        size_ratio=size / (4 * bundle.manifest.model.parameters),
        built=description.built,
        not_built_because=description.not_built_because,
        recipe={
            "summary": recipe.summary,
            "calibrated": recipe.calibrated,
            **recipe.settings,
            **proof_of(recipe, folder / artifact),
        },
        policy=recipe.policy,
        inputs=description.inputs,
        outputs=description.outputs,
        operators=description.operators,
        tools=tool_versions(target),
        key=key,
        seconds=round(seconds, 2),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        files=files,
    )


def _identity(folder: Path, artifact: str, files: tuple[FileEntry, ...]) -> tuple[int, str]:
    """Return the bytes and sha256 of an artifact; of a folder, the sum and the sha256 over its sorted entries."""
    path = folder / artifact
    if path.is_file():
        return path.stat().st_size, sha256_file(path)
    inside = [entry for entry in files if entry.path.startswith(f"{artifact}/")]
    return sum(e.size for e in inside), sha256_json([e.model_dump(mode="json") for e in inside])
