"""The trunk's features of every photo, computed once per view and kept in memory-mapped files.

While the trunk is frozen, its output for a photo is always the same: fifty epochs need one pass. View 0 is the photo
as it is; further views are augmented copies.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_bytes
from dermport.training.augment import PUBLISHED, Augmentation, augment
from dermport.training.cache import kept_folder
from dermport.training.data.photos import Rows

if TYPE_CHECKING:
    import keras

Bar = Callable[[], AbstractContextManager[Callable[[int, int], None]]]
"""Opens a progress bar, whose value is called with (done, total)."""

_BATCH = 32
_KEPT = 16
_ACTIVATIONS, _POOLED = "activations.npy", "pooled.npy"


@dataclass(frozen=True)
class Features:
    """One view of N photos, as the trunk sees it; both arrays are memory-mapped, read only.

    Attributes:
        activations: At the cut before the trunk's last four layers, float16 [N, h, w, 320 alpha].
        pooled: After the whole trunk and the pooling, float32 [N, 1280].
    """

    activations: NDArray[np.float16]
    pooled: NDArray[np.float32]

    def rows(self, indices: NDArray[np.int64]) -> Features:
        """Return the features of some of the photos, int64 [n]; activations are read as they are indexed."""
        rows = Rows.opened(Path(str(cast("np.memmap[Any, Any]", self.activations).filename)), indices)
        return Features(cast("NDArray[np.float16]", rows), self.pooled[indices])


@dataclass(frozen=True)
class PhotoSource:
    """Photos that features are computed of.

    Attributes:
        key: What identifies them: data set fingerprint, part, split and preprocessing.
        count: How many.
        tensors: Returns them, uint8 [N, S, S, 3]; called only if they are not in the cache.
    """

    key: dict[str, Any]
    count: int
    tensors: Callable[[], NDArray[np.uint8]]


class FeatureCache:
    """Features on disk, one folder for each view, found by everything that they depend on.

    The key is the sha256 over the photos' identity, the trunk's weights, the augmentation, the seed and the view: a
    change to any of them leads to another folder. The sixteen folders used last are kept.

    Args:
        folder: Where the folders are.
        trunk: Images to (activations, pooled), see :func:`dermport.training.model.network.trunk_of`.
        seed: Of the augmentation.
        augmentation: What views after the first go through.
    """

    def __init__(self, folder: Path, trunk: keras.Model, seed: int, augmentation: Augmentation = PUBLISHED) -> None:
        self.folder = folder
        self.trunk = trunk
        self.seed = seed
        self.augmentation = augmentation
        self._weights = sha256_bytes(b"".join(value.tobytes() for value in trunk.get_weights()))

    def view(self, photos: PhotoSource, view: int, bar: Bar) -> Features:
        """Return one view's features, from the cache if they are there.

        Args:
            photos: What of.
            view: 0 for the photos as they are.
            bar: Opened if they have to be computed.
        """
        path = kept_folder(
            self.folder, self._key(photos, view), lambda part: self._compute(photos, view, part, bar), keep=_KEPT
        )
        return Features(np.load(path / _ACTIVATIONS, mmap_mode="r"), np.load(path / _POOLED, mmap_mode="r"))

    def _key(self, photos: PhotoSource, view: int) -> dict[str, Any]:
        changes = {"seed": self.seed, "augmentation": vars(self.augmentation)} if view else {}
        return {"photos": photos.key, "weights": self._weights, "view": view, "layout": 1, **changes}

    def _compute(self, photos: PhotoSource, view: int, folder: Path, bar: Bar) -> None:
        activations, pooled = (output.shape[1:] for output in self.trunk.outputs)
        create = np.lib.format.open_memmap
        cut = create(folder / _ACTIVATIONS, mode="w+", dtype=np.float16, shape=(photos.count, *activations))
        top = create(folder / _POOLED, mode="w+", dtype=np.float32, shape=(photos.count, *pooled))
        tensors = photos.tensors()
        with bar() as update:
            for start in range(0, photos.count, _BATCH):
                rows = slice(start, min(start + _BATCH, photos.count))
                cut[rows], top[rows] = self.trunk.predict_on_batch(self._changed(tensors[rows], view, start))
                update(rows.stop, photos.count)
        cut.flush()
        top.flush()

    def _changed(self, tensors: NDArray[np.uint8], view: int, start: int) -> NDArray[np.float32]:
        if view == 0:
            return tensors.astype(np.float32)
        return augment(tensors, self.augmentation, np.random.default_rng((self.seed, view, start)))
