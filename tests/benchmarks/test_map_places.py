"""The measured place of cells: a network whose cells look at a known place is found to look there."""

from __future__ import annotations

from types import TracebackType

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.map_places import measure

SIZE, CELLS = 64, 4


class _Looking:
    """Each cell's value is the brightness around a place `right` and `down` of its even one; two labels."""

    name, labels = "Looking 1.0", ("first", "second")

    def __init__(self, right: float, down: float) -> None:
        even = (np.arange(CELLS) + 0.5) * SIZE / CELLS
        at = np.arange(SIZE) + 0.5
        self._down, self._across = (
            np.exp(-(((at[None, :] - even[:, None] - shift) / 6) ** 2)) for shift in (down, right)
        )

    def __enter__(self) -> _Looking:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def predict(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.tile(np.float32([0.9, 0.1]), (len(tensors), 1))

    def predict_with_maps(self, tensors: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        grey = tensors.mean(axis=3)
        cells = np.einsum("iy,nyx,jx->nij", self._down, grey, self._across)
        return self.predict(tensors), np.stack([cells, -cells], axis=-1).astype(np.float32)


@pytest.mark.parametrize(("right", "down"), [(0.0, 0.0), (5.0, 2.0), (-3.0, 6.0)])
def test_the_shift_is_found(right: float, down: float) -> None:
    photos = np.random.default_rng(0).integers(40, 255, (6, SIZE, SIZE, 3), dtype=np.uint8)
    told: list[int] = []
    found = measure(
        _Looking(right, down), photos, ["a", "a", "b", "c", "d", "e"], 8, lambda done, total: told.append(done)
    )
    assert (found["photos"], found["lesions"], told[-1]) == (6, 5, 6)
    for name, truth in (("right", right), ("down", down), ("both", (right + down) / 2)):
        one = found[name]
        assert one["pixels"] == pytest.approx(truth, abs=1.0)
        assert one["low"] <= one["pixels"] <= one["high"]
