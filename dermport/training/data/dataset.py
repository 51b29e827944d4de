"""A source, read for a task: every photo checked, what cannot be used left out with its reason."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_bytes, sha256_json
from dermport.bundle.manifest import Manifest, Preprocessing
from dermport.bundle.photo_folder import readable
from dermport.bundle.prep import prepare
from dermport.errors import DataError, PhotoError
from dermport.progress import Update
from dermport.training.data.near_duplicates import SIDE, Link, find_links, joined_groups, perceptual_hash
from dermport.training.data.records import Dropped, DropReason, Reader, Record
from dermport.training.data.report import ReadReport, build_report
from dermport.training.data.sources import open_dataset
from dermport.training.data.tasks import Task, suggested_task, task_from_spec
from dermport.training.request import TrainingRequest

# Small: checking costs a decode and next to nothing more. Near-duplicates are looked for on it.
_MOST_LABELS = 40  # more are names of files or of people
_CHECK = Preprocessing(size=SIDE)


@dataclass(frozen=True)
class Dataset:
    """The photos that can be used for a task.

    Attributes:
        name: The source's folder or file name.
        task: What is told apart.
        records: The photos, in the order of their ids; every label is part of the task.
        report: What was kept and what was left out.
        fingerprint: sha256 over every photo's id, bytes, label and lesion.
        links: Near-duplicates among `records`, by their indices; empty also where none were looked for.
        joins: Groups of which a split makes one, since the same photo, or nearly the same, is in both.
    """

    name: str
    task: Task
    records: tuple[Record, ...]
    report: ReadReport
    fingerprint: str
    links: tuple[Link, ...] = ()
    joins: tuple[tuple[str, str], ...] = ()

    def targets(self) -> NDArray[np.int64]:
        """Return int64 [N]: each record's output index, in the order of `records`."""
        return np.array([self.task.index_of(record.label) for record in self.records], dtype=np.int64)

    def groups(self) -> tuple[str, ...]:
        """Return what a split keeps in one part, in the order of `records`: lesion, patient, or near-duplicates."""
        groups = tuple(record.group for record in self.records)
        return joined_groups(groups, self.joins) if self.joins else groups


def read_dataset(
    source: Path | Reader,
    task: Task,
    *,
    require_metadata: bool = False,
    near_duplicates: bool = False,
    jobs: int | None = None,
    update: Update | None = None,
) -> Dataset:
    """Read every photo that the source lists and keep those that can be used for the task.

    Left out are: photos whose file is missing or that ``dermport-prep/1`` refuses; labels outside the task; with
    `require_metadata`, rows with an empty cell; all but one of photos with the same id or the same bytes, and all of
    them where their labels contradict each other.

    Args:
        source: A path (see :func:`dermport.training.data.sources.open_dataset`) or a reader.
        task: What is told apart.
        require_metadata: Leave out photos with any metadata missing.
        near_duplicates: Find photos that show the same picture, so that a split that is drawn keeps them together.
        jobs: Threads that decode; None for one per processor.
        update: Called with (photos checked, photos listed).

    Raises:
        DataError: The source cannot be read, or not one usable photo is left.
    """
    reader = open_dataset(source) if isinstance(source, Path) else source
    listed = list(reader.iter_records())
    check = partial(_check, task=task, require_metadata=require_metadata, hashed=near_duplicates)
    results = _check_all(listed, check, jobs, update)
    dropped = [result for result in results if isinstance(result, Dropped)]
    kept = [result for result in results if isinstance(result, Record)]
    for key in (lambda record: record.photo_id, lambda record: record.sha256):
        kept, repeated = _without_repeats(kept, key, task)
        dropped += repeated
    records = tuple(sorted(kept, key=lambda record: record.photo_id))
    links = find_links([record.phash for record in records]) if near_duplicates else ()
    joins = _joins(records, links, dropped) if near_duplicates else ()
    name = readable(reader.root.resolve().name)
    report = build_report(name, reader.name, task, records, dropped, links=links, notes=reader.notes)
    if not records:
        raise DataError(
            f"{readable(reader.root)}: no photo can be used for the task {task.spec.name}.\n{report.to_text()}",
            remedy=_own_task(report.unknown_labels),
            of=TrainingRequest,
        )
    return Dataset(report.source, task, records, report, fingerprint(records), links, joins)


def _own_task(labels: Mapping[str, int]) -> str:
    """Return how to have a data set's own labels read; empty where that is not the reason."""
    if not labels or len(labels) > _MOST_LABELS:
        return ""
    table = suggested_task(labels).replace("\n", "\n  ").rstrip()
    return f"To read these labels, save this as mine.toml, look at it, and name it: {{task}} mine.toml\n\n  {table}"


def reopen_dataset(manifest: Manifest, data: Path, *, jobs: int | None = None, update: Update | None = None) -> Dataset:
    """Return the photos at `data` for the bundle's task.

    If they are those that the bundle was trained on, incomplete rows are left out and lesions are told from file names
    as they were then, so that the fingerprint is the same. Of any other data set every usable photo is returned.

    Raises:
        DataError: Nothing there can be read, or no photo is of the task.
    """
    task, trained_on = task_from_spec(manifest.task), manifest.dataset
    if trained_on is None:
        return read_dataset(open_dataset(data), task, jobs=jobs, update=update)
    require_metadata = DropReason.INCOMPLETE.value in trained_on.dropped
    source = open_dataset(data, lesion_pattern=trained_on.lesion_pattern)
    dataset = read_dataset(source, task, require_metadata=require_metadata, jobs=jobs, update=update)
    if require_metadata and dataset.fingerprint != trained_on.fingerprint:
        return read_dataset(source, task, jobs=jobs, update=update)
    return dataset


def fingerprint(records: Iterable[Record]) -> str:
    """Return the sha256 over every photo's id, bytes, source label and lesion.

    Neither the order of the records nor where the photos lie changes it; any change to a photo or its label does.
    """
    return sha256_json(sorted([one.photo_id, one.sha256, one.label, one.lesion_id] for one in records))


def _check_all(
    listed: Sequence[Record | Dropped],
    check: Callable[[Record], Record | Dropped],
    jobs: int | None,
    update: Update | None,
) -> list[Record | Dropped]:
    results = []
    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        for result in pool.map(lambda entry: entry if isinstance(entry, Dropped) else check(entry), listed):
            results.append(result)
            if update:
                update(len(results), len(listed))
    return results


def _check(record: Record, task: Task, require_metadata: bool, hashed: bool) -> Record | Dropped:
    if task.label_of(record.label) is None:
        detail = f"label {record.label!r} is not in the task"
        return Dropped(record.photo_id, DropReason.UNKNOWN_LABEL, detail, label=record.label)
    empty = [name for name, value in record.metadata.items() if not value]
    if require_metadata and empty:
        return Dropped(record.photo_id, DropReason.INCOMPLETE, f"no {', '.join(empty)}")
    try:
        data = _read_file(record.path)
        picture = prepare(data, _CHECK).tensor
    except FileNotFoundError:
        return Dropped(record.photo_id, DropReason.MISSING, f"{readable(record.path.name)} does not exist")
    except OSError as error:
        return Dropped(record.photo_id, DropReason.UNREADABLE, error.strerror or str(error))
    except PhotoError as error:
        return Dropped(record.photo_id, DropReason.UNREADABLE, error.message)
    return replace(record, sha256=sha256_bytes(data), phash=perceptual_hash(picture) if hashed else "")


def _read_file(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is no file")  # a pipe of that name would be waited for without end
    return path.read_bytes()


def _without_repeats(
    records: Iterable[Record], key: Callable[[Record], str], task: Task
) -> tuple[list[Record], list[Dropped]]:
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    kept, dropped = [], []
    for group in groups.values():
        first, *rest = sorted(group, key=lambda record: (record.photo_id, record.path))
        labels = sorted({record.label for record in group})
        if len({task.label_of(label) for label in labels}) > 1:
            detail = f"the same photo is labelled {' and '.join(labels)}"
            dropped += [Dropped(record.photo_id, DropReason.CONFLICT, detail) for record in group]
        else:
            kept.append(first)
            dropped += [
                Dropped(
                    one.photo_id, DropReason.DUPLICATE, f"the same photo as {first.photo_id}", (first.group, one.group)
                )
                for one in rest
            ]
    return kept, dropped


def _joins(records: Sequence[Record], links: Sequence[Link], dropped: Sequence[Dropped]) -> tuple[tuple[str, str], ...]:
    """Return the pairs of groups that near-duplicates, and photos that were listed in two groups, make one."""
    pairs = {(records[link.first].group, records[link.second].group) for link in links}
    pairs |= {one.groups for one in dropped if one.groups}
    return tuple(sorted(pair for pair in pairs if pair[0] != pair[1]))
