"""Photos with what is known of them: the truth, the lesion that each shows, and the person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle
from dermport.errors import DataError

Load = Callable[[Preprocessing, NDArray[np.int64]], NDArray[np.uint8]]
"""Prepares some photos (their places, int64 [n]): uint8 [n, S, S, 3]."""

_Value = TypeVar("_Value")
_KEPT = 2  # preprocessings whose tensors are held: 10,015 photos at 224 pixels are 1.5 GB


@dataclass(frozen=True, eq=False)
class PhotoSet:
    """Photos, named once and prepared as each bundle wants them.

    Attributes:
        name: Where they come from, for people: the data set's name.
        ids: The photos' names, [N].
        load: Prepares some of them; None where nobody needs the photos themselves.
        part: ``train``, ``validation``, ``test`` or ``all`` of the data set; None where it has no parts.
        truth: Label indices, int64 [N]; None where the photos have no labels to measure by.
        groups: What a bootstrap draws, [N]: the lesion that each photo shows; empty without `truth`.
        metadata: What the data set says of the person (age, sex, site, ... as text), [N]; empty where it says nothing.
        paths: Where they lie, [N]; empty where they are no files.
        external: Whether the bundle in question was trained on another data set.
    """

    name: str
    ids: Sequence[str]
    load: Load | None = None
    part: str | None = None
    truth: NDArray[np.int64] | None = None
    groups: Sequence[str] = ()
    metadata: Sequence[Mapping[str, str]] = ()
    paths: Sequence[Path] = ()
    external: bool = False
    _tensors: dict[str, NDArray[np.uint8]] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def title(self) -> str:
        """The name with the part, for people."""
        return f"{self.name}, {self.part}" if self.part else self.name

    @property
    def targets(self) -> NDArray[np.int64]:
        """Label indices, int64 [N].

        Raises:
            DataError: The photos have no labels.
        """
        if self.truth is None:
            raise DataError(f"The photos of {self.name} have no labels.")
        return self.truth

    def tensors(self, preprocessing: Preprocessing) -> NDArray[np.uint8]:
        """Return all photos as a model takes them, uint8 [N, S, S, 3]; prepared when first asked for, then kept.

        Raises:
            DataError: A photo cannot be read.
        """
        key = preprocessing.model_dump_json()
        if key not in self._tensors:
            while len(self._tensors) >= _KEPT:
                self._tensors.pop(next(iter(self._tensors)))
            self._tensors[key] = self._loaded(preprocessing, np.arange(len(self)))
        return self._tensors[key]

    def take(self, indices: NDArray[np.int64]) -> PhotoSet:
        """Return some of the photos, by their places (int64 [n]); only these are prepared, if all were not before."""

        def load(preprocessing: Preprocessing, chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
            prepared = self._tensors.get(preprocessing.model_dump_json())
            return self._loaded(preprocessing, indices[chosen]) if prepared is None else prepared[indices[chosen]]

        return replace(
            self,
            ids=_chosen(self.ids, indices),
            load=load,
            truth=None if self.truth is None else self.truth[indices],
            groups=_chosen(self.groups, indices),
            metadata=_chosen(self.metadata, indices),
            paths=_chosen(self.paths, indices),
        )

    def spread(self, limit: int) -> PhotoSet:
        """Return at most `limit` of the photos, evenly spread over them."""
        count = min(limit, len(self))
        return self.take(np.arange(count) * len(self) // max(1, count))

    def _loaded(self, preprocessing: Preprocessing, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        if self.load is None:
            raise DataError(f"The photos of {self.name} are not at hand, only what is known of them.")
        return self.load(preprocessing, indices)


def _chosen(values: Sequence[_Value], indices: NDArray[np.int64]) -> tuple[_Value, ...]:
    return tuple(values[index] for index in indices) if values else ()


def golden_photos(bundle: Bundle) -> PhotoSet:
    """Return a bundle's golden set; it is too small for metrics, so it comes without truth.

    Raises:
        IntegrityError: A photo or tensor is not the one that was recorded.
    """
    golden = bundle.golden()
    names = tuple(photo.photo for photo in golden.index.photos)

    def load(preprocessing: Preprocessing, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        if preprocessing == bundle.manifest.preprocessing:
            return golden.tensors[indices]
        photos = (bundle.file(f"golden/{names[index]}").read_bytes() for index in indices)
        return np.stack([prepare(photo, preprocessing).tensor for photo in photos])

    return PhotoSet(f"golden set of {bundle.manifest.name}", names, load)
