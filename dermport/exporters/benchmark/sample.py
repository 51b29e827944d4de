"""The photos that artifacts answer, prepared for each bundle in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.benchmark_record import PhotoSet
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle
from dermport.statistics.subgroups import Metadata

Tensors = Callable[[Preprocessing], NDArray[np.uint8]]


@dataclass(frozen=True)
class Truth:
    """What is known of labelled photos.

    Attributes:
        labels: Label indices, int [N].
        lesions: The lesion that each photo shows, [N].
        metadata: The data set's other columns of each photo, as text (age, sex, localization), [N].
    """

    labels: NDArray[np.int64]
    lesions: tuple[str, ...]
    metadata: tuple[Metadata, ...]


@dataclass(frozen=True)
class Sample:
    """Photos, named once and prepared as a bundle wants them.

    Attributes:
        name: Where they come from, for people.
        part: Of the data set; None for a golden set.
        ids: The photos' names, [N].
        tensors: Prepares them all: uint8 [N, S, S, 3].
        truth: None where the photos have no labels to measure by.
    """

    name: str
    part: str | None
    ids: tuple[str, ...]
    tensors: Tensors
    truth: Truth | None = None

    def described(self, positive: tuple[int, ...]) -> PhotoSet:
        """Return the sample for the record; `positive` are the indices of the positive labels."""
        truth = self.truth
        return PhotoSet(
            name=self.name,
            part=self.part,
            photos=len(self.ids),
            lesions=len(set(truth.lesions)) if truth else None,
            sha256=sha256_bytes("\n".join(self.ids).encode()),
            positive=bits(np.isin(truth.labels, positive)) if truth else None,
        )


def golden_sample(bundle: Bundle) -> Sample:
    """Return a bundle's golden set; it is too small for metrics, so it comes without truth.

    Raises:
        IntegrityError: A photo or tensor is not the one that was recorded.
    """
    golden = bundle.golden()
    names = tuple(photo.photo for photo in golden.index.photos)

    def tensors(preprocessing: Preprocessing) -> NDArray[np.uint8]:
        if preprocessing == bundle.manifest.preprocessing:
            return golden.tensors
        photos = (bundle.file(f"golden/{name}").read_bytes() for name in names)
        return np.stack([prepare(photo, preprocessing).tensor for photo in photos])

    return Sample(f"golden set of {bundle.manifest.name}", None, names, tensors)


def bits(values: NDArray[np.bool_]) -> str:
    """Return e.g. ``"0110"`` of bool [4]."""
    return "".join("1" if value else "0" for value in values)
