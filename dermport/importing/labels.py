"""What an imported model tells apart: its labels, found or said, and the task that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dermport.bundle.manifest import Label, TaskSpec
from dermport.errors import DataError, UsageError
from dermport.importing.original import OriginalHints
from dermport.importing.request import ImportRequest
from dermport.training.data.tasks import Task, built_in_tasks, load_task, plain, task_from_spec

_FILES = ("labels.txt", "classes.txt")


def found_labels(request: ImportRequest, hints: OriginalHints, classes: int) -> tuple[tuple[str, ...], str, str]:
    """Return the labels in the order of the outputs, how they were found (asked, config, none), and in words.

    Raises:
        UsageError: They are not as many as the model has outputs, or one is there twice.
    """
    if request.labels:
        path = Path(request.labels)
        labels = _lines(path) if path.is_file() else tuple(part.strip() for part in request.labels.split(","))
        return _checked(labels, classes, "{labels}"), "asked", f"as asked: {_some(labels)}"
    if hints.labels:
        return _checked(hints.labels, classes, hints.source), "config", f"{hints.source}: {_some(hints.labels)}"
    folder = request.model if request.model.is_dir() else request.model.parent
    for path in (folder / name for name in (f"{request.model.stem}.labels.txt", *_FILES)):
        if path.is_file():
            labels = _lines(path)
            return _checked(labels, classes, str(path)), "config", f"{path.name} beside it: {_some(labels)}"
    numbered = tuple(f"class-{index}" for index in range(classes))
    return numbered, "none", "nothing says them: numbered; name them with {labels}"


def _lines(path: Path) -> tuple[str, ...]:
    return tuple(line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip())


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:8]) + (f" … ({len(labels)})" if len(labels) > 8 else "")


def _checked(labels: tuple[str, ...], classes: int, source: str) -> tuple[str, ...]:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if len(labels) != classes or twice or not all(labels):
        what = f"{twice[0]} twice" if twice else f"{len(labels)} labels"
        raise UsageError(
            f"{source} names {what}; the model has {classes} outputs.",
            remedy="Name one label for each output, in their order: {labels} a,b,c, or a file with one a line.",
            of=ImportRequest,
        )
    return labels


def task_of(request: ImportRequest, labels: tuple[str, ...]) -> Task:
    """Return the task: the asked or built-in one of these very labels, in the model's order, else each by its name.

    Raises:
        UsageError: The task that is asked for has other labels, or a positive one is none.
    """
    known = load_task(request.task) if request.task else _built_in(labels)
    if known is None:
        spec = TaskSpec(name=request.name, labels=tuple(map(_label, labels)), positive=request.positive)
    else:
        spec = _reordered(known.spec, labels, request)
    try:
        return task_from_spec(TaskSpec.model_validate(spec.model_dump()), known.title if known else "")
    except ValueError as error:
        raise UsageError(
            f"{{positive}} {', '.join(request.positive)} cannot be meant: the labels are {', '.join(labels)}.",
            of=ImportRequest,
        ) from error


def _label(label: str) -> Label:
    return Label(id=label, name=label, sources=(label,))


def _built_in(labels: Sequence[str]) -> Task | None:
    tasks = map(load_task, built_in_tasks())
    return next((task for task in tasks if _are(task, labels)), None)


def _are(task: Task, labels: Sequence[str]) -> bool:
    """Whether labels are those of a task, each once, in whatever order."""
    return sorted(str(_id(task, label)) for label in labels) == sorted(task.spec.ids)


def _id(task: Task, label: str) -> str | None:
    ids = {plain(one): one for one in task.spec.ids}
    return ids.get(plain(label)) or task.label_of(label)


def _reordered(spec: TaskSpec, labels: tuple[str, ...], request: ImportRequest) -> TaskSpec:
    """Return a task with its labels in the model's order."""
    task = task_from_spec(spec)
    if not _are(task, labels):
        raise UsageError(
            f"{{task}} {request.task} tells {', '.join(spec.ids)} apart, the model {', '.join(labels)}.",
            remedy="Name a task of these very labels.",
            of=ImportRequest,
        )
    by_id = {label.id: label for label in spec.labels}
    update = {
        "labels": tuple(by_id[str(_id(task, label))] for label in labels),
        "positive": request.positive or spec.positive,
    }
    return spec.model_copy(update=update)


def without_decision(task: Task) -> Task:
    """Return a task without positive labels: no threshold can be chosen for them."""
    return replace(task, spec=task.spec.model_copy(update={"positive": ()}))


def refuse_positive(request: ImportRequest) -> None:
    """Refuse positive labels where there is nothing to choose a threshold on.

    Raises:
        DataError: Some were asked for.
    """
    if request.positive:
        raise DataError(
            "{positive} needs labelled photos to choose the decision's threshold on.",
            remedy="Name them with {data}, or leave {positive} out.",
            of=ImportRequest,
        )
