"""Where the bound for near-duplicates lies: pairs of one lesion, and of different ones, by how much they differ.

    python -m benchmarks.near_duplicates ham10000/ [--json near-duplicates.json]

A pair of different lesions that is linked is either a photo that two lesions list, or a false link, which only a look
tells (``dermport data --out`` draws them). Then some photos are changed as copies are, and it is counted how many
would be found again.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from dermport.bundle.atomic import write_json
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import tensor_of
from dermport.training.data.dataset import Dataset, read_dataset
from dermport.training.data.near_duplicates import DISTANCE, SIDE, find_links, joined_groups, perceptual_hash
from dermport.training.data.tasks import load_task

BOUNDS = range(0, 61, 4)
CHANGED = 300


def run(dataset: Dataset) -> dict[str, Any]:
    """Measure; return the figures."""
    records = dataset.records
    links = find_links([record.phash for record in records], max(BOUNDS))
    table = []
    for bound in BOUNDS:
        near = [(records[link.first], records[link.second]) for link in links if link.distance <= bound]
        across = [(one.lesion_id, other.lesion_id) for one, other in near if one.lesion_id != other.lesion_id]
        lesions = sorted({record.lesion_id for record in records})
        groups = Counter(joined_groups(lesions, across))
        row = {"bits": bound, "one_lesion": len(near) - len(across), "different_lesions": len(across)}
        table.append({**row, "groups": len(groups), "largest_group": max(groups.values())})
    return {"photos": len(records), "lesions": len(lesions), "table": table, "found_again": _found_again(dataset)}


def _found_again(dataset: Dataset) -> dict[str, float]:
    drawn = np.random.default_rng(0).permutation(len(dataset.records))[:CHANGED]
    photos = [Image.open(dataset.records[index].path).convert("RGB") for index in drawn]
    before = [_hash(photo) for photo in photos]
    return {
        name: float(
            np.mean(
                [
                    (one ^ _hash(change(photo))).bit_count() <= DISTANCE
                    for one, photo in zip(before, photos, strict=True)
                ]
            )
        )
        for name, change in CHANGES.items()
    }


def _hash(photo: Image.Image) -> int:
    return int(perceptual_hash(tensor_of(photo, Preprocessing(size=SIDE))), 16)


def _jpeg(photo: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _cropped(photo: Image.Image, share: float) -> Image.Image:
    across, down = int(photo.width * share), int(photo.height * share)
    return photo.crop((across, down, photo.width - across, photo.height - down))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 75": lambda photo: _jpeg(photo, 75),
    "JPEG of quality 30": lambda photo: _jpeg(photo, 30),
    "half the size": lambda photo: photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS),
    "brightness by 0.7": lambda photo: ImageEnhance.Brightness(photo).enhance(0.7),
    "brightness by 1.3": lambda photo: ImageEnhance.Brightness(photo).enhance(1.3),
    "half the colour": lambda photo: ImageEnhance.Color(photo).enhance(0.5),
    "1 % cropped at each edge": lambda photo: _cropped(photo, 0.01),
    "2 % cropped at each edge": lambda photo: _cropped(photo, 0.02),
    "5 % cropped at each edge": lambda photo: _cropped(photo, 0.05),
    "turned by 1 degree": lambda photo: photo.rotate(1, Image.Resampling.BICUBIC),
    "mirrored": lambda photo: photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def main() -> int:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--task", default="ham7")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = run(read_dataset(options.data, load_task(options.task), near_duplicates=True))
    lines = [f"{'bits':>4} {'one lesion':>11} {'different':>10} {'groups':>7} {'largest':>8}"]
    lines += [
        "{bits:>4} {one_lesion:>11,} {different_lesions:>10,} {groups:>7,} {largest_group:>8,}".format(**row)
        for row in found["table"]
    ]
    lines += [f"{share:.3f}  {name}" for name, share in found["found_again"].items()]
    sys.stdout.write("\n".join(lines) + "\n")
    if options.json:
        write_json(options.json, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
