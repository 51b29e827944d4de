"""What was trained and what is under way below a folder, with its options and figures."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from dermport.bundle.hashing import sha256_json
from dermport.bundle.store import Bundle
from dermport.bundle.tables import read_rows
from dermport.errors import BundleError, DataError, UsageError
from dermport.options import option_fields
from dermport.statistics.estimates import Metric
from dermport.training.phases.state import load_history
from dermport.training.recipe import TrainingRecipe
from dermport.training.run import COMMAND, QUESTION, run_folder

State = Literal["finished", "unfinished", "damaged"]

_DEPTH = 3
_MANIFEST, _HISTORY = "bundle.json", "evaluation/history.csv"
_NO_OPTION = ("out", "name", "json", "jobs", "dry-run")  # these change no figure
_CURVES = ("val_loss", "val_accuracy", "val_macro_auc")


@dataclass(frozen=True)
class RunEntry:
    """A bundle, or a training that is under way.

    Attributes:
        name: Its folder, as seen from where it was looked for.
        path: The bundle's folder, or where it will be.
        state: Finished, unfinished, or damaged (its manifest cannot be read).
        created: When it was written, ISO 8601; empty for what is unfinished.
        options: What it was asked, by option; defaults too.
        figures: The bundle's head figures.
        seconds: That its training took so far.
        tested_on: What tells apart the photos that the figures are of; figures of equal ones may be compared.
        note: What a person should know: how far it is, or what is wrong with it.
    """

    name: str
    path: Path
    state: State
    created: str = ""
    options: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Metric] = field(default_factory=dict)
    seconds: float = 0.0
    tested_on: str = ""
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        figures = {name: metric.model_dump(mode="json") for name, metric in self.figures.items()}
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**plain, "path": str(self.path), "figures": figures}

    def curves(self) -> dict[str, list[float | None]]:
        """Return validation loss, accuracy and macro ROC AUC by epoch over all phases.

        Raises:
            DataError: There is no history (a bundle without training, or one that has not finished an epoch).
        """
        found: list[dict[str, Any]] = []
        if self.state == "unfinished":
            found = [vars(one) for path in _checkpoints(run_folder(self.path)) for one in load_history(path)]
        elif (self.path / _HISTORY).is_file():
            with (self.path / _HISTORY).open(newline="", encoding="utf-8") as file:
                found = list(csv.DictReader(file))
        if not found:
            raise DataError(f"{self.name} has no history of its epochs, so that there is no curve to draw.")
        return {name: [None if row[name] in ("", None) else float(row[name]) for row in found] for name in _CURVES}


def find_runs(folder: Path) -> list[RunEntry]:
    """Return the bundles and unfinished trainings below `folder`, newest first, what is unfinished before them.

    Raises:
        UsageError: `folder` does not exist.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} does not exist.", remedy="Name a folder that bundles were written to.")
    finished, unfinished = list[Path](), list[Path]()
    for depth in range(_DEPTH):
        finished += [path.parent for path in folder.glob("*/" * depth + f"[!.]*/{_MANIFEST}")]
        unfinished += [_bundle_of(path.parent) for path in folder.glob("*/" * depth + f".*.run/{QUESTION}")]
    entries = [open_entry(path, folder) for path in (*unfinished, *finished)]
    return sorted(entries, key=lambda one: (one.state == "unfinished", one.created), reverse=True)


def open_entry(path: Path, folder: Path | None = None) -> RunEntry:
    """Return what is known of a bundle or of an unfinished training.

    Args:
        path: The bundle's folder, also where the bundle is not written yet.
        folder: Where its name is seen from; None for its parent.

    Raises:
        UsageError: There is neither a bundle nor an unfinished training.
    """
    name = path.relative_to(folder).as_posix() if folder else path.name
    if (path / _MANIFEST).is_file():
        try:
            return _finished(name, Bundle.open(path))
        except (BundleError, DataError) as error:
            return RunEntry(name, path, "damaged", note=error.message)
        except OSError as error:
            return RunEntry(name, path, "damaged", note=f"{error.filename}: {error.strerror}")
    if (run_folder(path) / QUESTION).is_file():
        return _unfinished(name, path)
    raise UsageError(f"{path} is neither a bundle nor an unfinished training.", remedy="dermport runs lists them.")


def differing(entries: Sequence[RunEntry]) -> list[str]:
    """Return the options in which any of the runs differ, in alphabetical order."""
    names = sorted({name for one in entries for name in one.options})
    return [name for name in names if len({one.options.get(name) for one in entries}) > 1]


def options_of(command: str) -> dict[str, str]:
    """Return what a command asked, by option: those that train with their defaults.

    A path is told by its last part; what cannot change a figure (``--out``, ``--jobs``) is left out.
    """
    words = shlex.split(command)
    what = next((word for word in words[1:] if not word.startswith("-")), "")
    given, rest = dict[str, str](), words[words.index(what) + 1 :] if what else []
    while rest:
        word = rest.pop(0)
        name, _, value = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            name, value = "from", word
        elif not value:
            value = rest.pop(0) if rest and not rest[0].startswith("--") else "yes"
        given[name] = Path(value).name if "/" in value else value
    defaults = recipe_options(vars(TrainingRecipe())) if what in ("train", "cross-validate") else {}
    return {name: v for name, v in {"command": what, **defaults, **given}.items() if name not in _NO_OPTION}


def recipe_options(recipe: dict[str, Any]) -> dict[str, str]:
    """Return a recipe's fields by the names of the options, as text."""
    flags = {one.name: one.flag.removeprefix("--") for one in option_fields(TrainingRecipe)}
    named = {flags.get(name, name.replace("_", "-")): value for name, value in recipe.items()}
    return {name: "default" if value is None else f"{value}" for name, value in named.items()}


def _finished(name: str, bundle: Bundle) -> RunEntry:
    manifest = bundle.manifest
    return RunEntry(
        name=name,
        path=bundle.path,
        state="finished",
        created=manifest.provenance.created,
        options=options_of(manifest.provenance.command),
        figures=manifest.known_metrics.figures,
        seconds=manifest.provenance.seconds,
        tested_on=_tested_on(bundle),
    )


def _tested_on(bundle: Bundle) -> str:
    dataset, part = bundle.manifest.known_dataset, bundle.manifest.known_metrics.part
    rows = read_rows(bundle.path / dataset.split.file, ("photo_id", "part"))
    return sha256_json([dataset.fingerprint, sorted(row["photo_id"] for row in rows if row["part"] == part)])[:12]


def _unfinished(name: str, path: Path) -> RunEntry:
    folder = run_folder(path)
    told = folder / COMMAND
    asked = json.loads((folder / QUESTION).read_text(encoding="utf-8"))
    recipe = asked.get("recipe", {})
    options = {"command": "compress", "recipe": str(recipe.get("name", ""))} if "step" in recipe else {}
    if told.is_file():
        options = options_of(told.read_text(encoding="utf-8").strip())
    elif not options and isinstance(recipe, dict):
        options = {"command": "train", **recipe_options({**vars(TrainingRecipe()), **recipe})}
    done = {checkpoint.stem: load_history(checkpoint) for checkpoint in _checkpoints(folder)}
    epochs = [one for history in done.values() for one in history]
    note = ", ".join(f"{phase} {len(history)} epochs" for phase, history in done.items()) or "no epoch yet"
    return RunEntry(name, path, "unfinished", options=options, seconds=sum(one.seconds for one in epochs), note=note)


def _checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in the order in which they were begun."""
    return sorted(folder.rglob("*.npz"), key=lambda path: (path.parent, path.stat().st_mtime))


def _bundle_of(folder: Path) -> Path:
    return folder.parent / folder.name.removeprefix(".").removesuffix(".run")
