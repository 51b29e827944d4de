"""A data set, read as the training of a bundle read it: the same photos are recognised, whatever was asked then."""

from __future__ import annotations

from pathlib import Path

from dermport.bundle.manifest import Manifest
from dermport.progress import Update
from dermport.training.data.dataset import Dataset, read_dataset
from dermport.training.data.records import Reason
from dermport.training.data.sources import open_dataset
from dermport.training.data.tasks import task_from_spec


def read_again(manifest: Manifest, data: Path, *, jobs: int | None = None, update: Update | None = None) -> Dataset:
    """Return the photos at `data` for the bundle's task.

    If they are those that the bundle was trained on, incomplete rows are left out and lesions are told from file names
    as they were then, so that the fingerprint is the same. Of any other data set every usable photo is returned.

    Raises:
        DataError: Nothing there can be read, or no photo is of the task.
    """
    task, trained_on = task_from_spec(manifest.task), manifest.dataset
    require_metadata = Reason.INCOMPLETE.value in trained_on.dropped
    source = open_dataset(data, lesion_pattern=trained_on.lesion_pattern)
    dataset = read_dataset(source, task, require_metadata=require_metadata, jobs=jobs, update=update)
    if require_metadata and dataset.fingerprint != trained_on.fingerprint:
        return read_dataset(source, task, jobs=jobs, update=update)
    return dataset
