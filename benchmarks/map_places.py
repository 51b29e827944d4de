"""Where in a photo the cells of a class activation map look: how far from the even places, in pixels.

    python -m benchmarks.map_places artifacts/ham7 --data ham10000/ [--photos 120] [--json map-places.json]

The bundle needs an ONNX export with maps (``dermport export BUNDLE --maps --to onnx --precision fp32``). Squares of the
photo are darkened one after the other (Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901), and it is followed how
much each cell of the predicted label's map changes. A cell's even place is the middle of its share of the photo. The
changes are averaged over cells by where the square lies from that place, each offset by as many pairs as there are, so
that the photo's edges do not pull; the centre of that profile within a cell and a half of itself is the shift. Lesions
are drawn again, 2,000 times, for the interval.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.atomic import write_json
from dermport.bundle.store import Bundle
from dermport.cli import output
from dermport.progress import Update
from dermport.runtimes.base import Runtime
from dermport.statistics.bootstrap import percentile_interval, resampled_clusters
from dermport.workflows.photos import read_photos

_REACH = 1.5  # cells to each side of the centre that count; what lies beyond is the photo's, not the cell's
_RESAMPLES = 2000
_BATCH = 36
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Profiles:
    """How much cells change, by the offset of the darkened square, summed over the pairs of a photo.

    Attributes:
        offsets: Pixels from a cell's even place to the middle of the square, float64 [D]: right, or down.
        across: By photo, along x: float64 [N, D].
        down: Likewise along y.
        pairs: Pairs of a cell and a square at each offset of one photo, float64 [D].
    """

    offsets: Floats
    across: Floats
    down: Floats
    pairs: Floats

    def centre(self, profiles: Floats, photos: NDArray[np.int64], pitch: float) -> float:
        """Return the centre of the mean profile of some photos, in pixels; `pitch` is a cell's side."""
        height = profiles[photos].sum(axis=0) / self.pairs
        place = float(self.offsets[int(height.argmax())])
        for _ in range(100):
            near = np.abs(self.offsets - place) <= _REACH * pitch
            above = np.where(near, height - height[near].min(), 0.0)
            place, before = float((above * self.offsets).sum() / above.sum()), place
            if abs(place - before) < 1e-6:
                break
        return place


def changes(runtime: Runtime, photo: NDArray[np.uint8], side: int) -> Floats:
    """Return how much each cell of the predicted label's map changes as each square is darkened.

    Args:
        runtime: An artifact with maps.
        photo: A prepared photo, uint8 [S, S, 3].
        side: Of a square, pixels; it divides S.

    Returns:
        float64 [squares down, squares across, h, w].
    """
    count = photo.shape[0] // side
    probabilities, [whole] = _maps(runtime, photo[None])
    label = int(probabilities[0].argmax())
    squares = [(row, column) for row in range(count) for column in range(count)]
    darkened = np.repeat(photo[None], len(squares), axis=0)
    for picture, (row, column) in zip(darkened, squares, strict=True):
        picture[row * side : (row + 1) * side, column * side : (column + 1) * side] //= 2
    parts = [_maps(runtime, darkened[at : at + _BATCH])[1][..., label] for at in range(0, len(squares), _BATCH)]
    moved = np.abs(np.concatenate(parts).astype(np.float64) - whole[..., label])
    return np.asarray(moved.reshape(count, count, *whole.shape[:2]))


def profiles_of(moved: Floats, size: int) -> Profiles:
    """Return the profiles of changes [N, squares, squares, h, w] in photos of `size` pixels."""
    squares, cells = moved.shape[1], moved.shape[-1]
    middle = (np.arange(squares) + 0.5) * size / squares
    even = (np.arange(cells) + 0.5) * size / cells
    offset = np.round(middle[:, None] - even[None, :], 6)  # [squares, cells]
    offsets, place = np.unique(offset, return_inverse=True)
    place = place.reshape(offset.shape)
    across, down = moved.sum(axis=(1, 3)), moved.sum(axis=(2, 4))  # [N, squares, cells]
    first, second = (_summed(part, place, len(offsets)) for part in (across, down))
    return Profiles(offsets, first, second, np.bincount(place.ravel()).astype(np.float64))


def _summed(part: Floats, place: NDArray[np.int64], count: int) -> Floats:
    return np.stack([np.bincount(place.ravel(), one.ravel(), count) for one in part])


def measure(
    runtime: Runtime, photos: NDArray[np.uint8], lesions: list[str], side: int, update: Update
) -> dict[str, Any]:
    """Return the shift right and down of photos uint8 [N, S, S, 3], in pixels, with 95 % intervals by lesion."""
    moved = []
    for done, photo in enumerate(photos, 1):
        moved.append(changes(runtime, photo, side))
        update(done, len(photos))
    size = photos.shape[1]
    found = profiles_of(np.stack(moved), size)
    pitch = size / moved[0].shape[-1]
    axes = {"right": [found.across], "down": [found.down], "both": [found.across + found.down]}
    return {
        "photos": len(photos),
        "lesions": len(set(lesions)),
        "size": size,
        "square": side,
        "cell": pitch,
        **{name: _interval(found, profiles, lesions, pitch) for name, [profiles] in axes.items()},
        "profile": dict(
            zip(found.offsets.tolist(), ((found.across + found.down).sum(axis=0) / found.pairs).tolist(), strict=True)
        ),
    }


def _interval(found: Profiles, profiles: Floats, lesions: list[str], pitch: float) -> dict[str, float]:
    of = np.asarray(lesions)
    photos = [np.flatnonzero(of == lesion) for lesion in sorted(set(lesions))]
    drawn = [
        found.centre(profiles, np.concatenate([photos[index] for index in resample]), pitch)
        for resample in resampled_clusters(len(photos), _RESAMPLES)
    ]
    low, high = percentile_interval(np.array(drawn))
    return {"pixels": found.centre(profiles, np.arange(len(of)), pitch), "low": float(low), "high": float(high)}


def _maps(runtime: Runtime, tensors: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    probabilities, maps = runtime.predict_with_maps(tensors)
    if maps is None:
        sys.exit("The ONNX export gives no maps: dermport export BUNDLE --maps --to onnx --precision fp32")
    return probabilities, maps


def main() -> None:
    """Measure, print and write."""
    from dermport.runtimes.onnxruntime import OnnxRuntime

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=120, help="of the test part, evenly spread")
    parser.add_argument("--square", type=int, default=16, help="pixels; it divides the photo's side")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    bundle = Bundle.open(asked.bundle)
    chosen = read_photos(bundle, asked.data, "test", progress=output).spread(asked.photos)
    tensors = chosen.tensors(bundle.manifest.preprocessing)
    with OnnxRuntime(bundle.export("onnx", "fp32").artifact) as runtime, output.bar("Photos") as update:
        found = measure(runtime, tensors, list(chosen.groups), asked.square, update)
    for name in ("right", "down", "both"):
        print(f"{name}: {{pixels:.1f}} ({{low:.1f}} to {{high:.1f}}) pixels".format(**found[name]))
    if asked.json:
        write_json(asked.json, found)


if __name__ == "__main__":
    main()
