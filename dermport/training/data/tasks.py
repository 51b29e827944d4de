"""Tasks: the classes to tell apart, and which labels of a data set count as which (``groupings.toml``)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from dermport.bundle import toml
from dermport.bundle.manifest import Label, TaskSpec
from dermport.contract import Contract, explained
from dermport.errors import DataError
from dermport.training.request import TrainingRequest

BUILT_IN = Path(__file__).with_name("groupings.toml")


@dataclass(frozen=True)
class Task:
    """What is told apart.

    Attributes:
        spec: Name, ordered labels and positive labels, as ``bundle.json`` records them.
        title: The task in words.
        grouping: From a source's label, in its plain form (:func:`plain`), to a label id of `spec`.
    """

    spec: TaskSpec
    title: str
    grouping: Mapping[str, str]

    def label_of(self, source: str) -> str | None:
        """Return the label id that the source's label counts as, or None if it is not part of the task."""
        return self.grouping.get(plain(source))

    def index_of(self, source: str) -> int:
        """Return the model's output index for the source's label.

        Raises:
            KeyError: The label is not part of the task.
        """
        return self.spec.ids.index(self.grouping[plain(source)])


class _LabelTable(Contract):
    id: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]
    sources: Annotated[tuple[str, ...], Field(min_length=1)]


class _TaskTable(Contract):
    title: str = ""
    positive: Annotated[tuple[str, ...], Field(min_length=1)]
    label: Annotated[tuple[_LabelTable, ...], Field(min_length=2)]


def plain(source: str) -> str:
    """Return a source's label without the differences that copies of a data set introduce (case, "-", "_", blanks)."""
    return re.sub(r"[-_\s]+", " ", source).strip().casefold()


def load_task(name_or_path: str) -> Task:
    """Return a built-in task by its name, or a user's from ``FILE.toml`` or ``FILE.toml:NAME``.

    Raises:
        DataError: No such task or file, or the file breaks the form that ``groupings.toml`` describes.
    """
    file, found, name = name_or_path.partition(".toml")
    if not found:
        return _choose(BUILT_IN, name_or_path)
    return _choose(Path(file + ".toml"), name.removeprefix(":"))


def built_in_tasks() -> tuple[str, ...]:
    """Return the names of the tasks that come with dermport."""
    return tuple(_read_tables(BUILT_IN))


def suggested_task(labels: Mapping[str, int], name: str = "mine") -> str:
    """Return a grouping table, as TOML, that has each of a data set's labels as a class of its own.

    Those that count as positive in a task of dermport's own are named as such; which do is for a person to say.

    Args:
        labels: The data set's labels, with how many photos each has.
        name: The task's.
    """
    known = [load_task(task) for task in built_in_tasks()]
    positive = [label for label in labels if any(task.label_of(label) in task.spec.positive for task in known)]
    classes = "".join(
        f"\n[[{name}.label]]\nid = {json.dumps(label)}\nname = {json.dumps(label)}\n"
        f"sources = [{json.dumps(label)}]  # {photos:,} photos\n"
        for label, photos in labels.items()
    )
    return (
        "# Rename, join or remove classes; a photo whose label no class lists among its sources is left out.\n"
        f"[{name}]\n"
        f"positive = {json.dumps(positive)}  # what the decision is about, by its id: check this line\n{classes}"
    )


def _choose(path: Path, name: str) -> Task:
    tables = _read_tables(path)
    if not name and len(tables) == 1:
        name = next(iter(tables))
    if name not in tables:
        where = "" if path == BUILT_IN else f" in {path}"
        raise DataError(
            f"There is no task {name!r}{where}; there are: {', '.join(tables)}.",
            remedy="A grouping of your own: {task} FILE.toml:NAME.",
            of=TrainingRequest,
        )
    try:
        return _task(name, _TaskTable.model_validate(tables[name]))
    except ValidationError as error:
        raise _malformed(path, name, explained(error)) from error
    except ValueError as error:
        raise _malformed(path, name, str(error)) from error


def _read_tables(path: Path) -> dict[str, Any]:
    try:
        tables = toml.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"The grouping table {path} does not exist.") from error
    except (OSError, UnicodeDecodeError, toml.TOMLDecodeError) as error:
        raise DataError(f"The grouping table {path} cannot be read as TOML: {error}.") from error
    if not tables:
        raise DataError(f"The grouping table {path} defines no task.")
    return tables


def _task(name: str, table: _TaskTable) -> Task:
    labels = tuple(Label(id=label.id, name=label.name, sources=label.sources) for label in table.label)
    return task_from_spec(TaskSpec(name=name, labels=labels, positive=table.positive), table.title)


def task_from_spec(spec: TaskSpec, title: str = "") -> Task:
    """Return the task that a bundle records.

    Raises:
        ValueError: A source's label is listed under two labels.
    """
    return Task(spec, title or spec.name, _grouping(spec))


def _grouping(spec: TaskSpec) -> dict[str, str]:
    grouping: dict[str, str] = {}
    for label in spec.labels:
        for source in label.sources:
            if grouping.setdefault(plain(source), label.id) != label.id:
                raise ValueError(f"the source {source!r} is listed under two labels")
    return grouping


def _malformed(path: Path, name: str, what: str) -> DataError:
    return DataError(
        f"The task {name!r} in {path} is malformed: {what}.",
        remedy='Needed: positive = ["id", ...] and at least two [[NAME.label]] with id, name and sources = [...].',
    )
