"""Writes a sample set in HAM10000's layout."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dermport.bundle.atomic import atomic_directory, write_text
from dermport.bundle.csv_table import csv_text
from dermport.errors import UsageError
from dermport.progress import Update
from dermport.training.sample.camera import draw_view, take_photo
from dermport.training.sample.cohort import SHARES, Lesion, draw_cohort
from dermport.training.sample.lesions import draw_lesion
from dermport.training.sample.skin import draw_person

PARTS = ("HAM10000_images_part_1", "HAM10000_images_part_2")
_HERE = Path(__file__).parent
_MAX_SIDE = 4096


@dataclass(frozen=True)
class SampleSet:
    """What was written: how many photos and lesions in all, and photos by class."""

    photos: int
    lesions: int
    photos_by_class: dict[str, int]


def draw_sample_set(
    out_dir: Path,
    *,
    photos: int = 700,
    seed: int = 0,
    size: tuple[int, int] = (600, 450),
    jobs: int = 1,
    update: Update | None = None,
) -> SampleSet:
    """Draw a sample set into `out_dir`, which must not exist: all of it appears at once, or nothing.

    Args:
        out_dir: The folder to create.
        photos: How many photos, at least seven (one a class).
        seed: The same seed draws the same set, whatever `jobs` is.
        size: Width and height in pixels.
        jobs: Threads that draw.
        update: Called with (photos drawn, photos in all).

    Raises:
        UsageError: `out_dir` exists, or an argument is out of range.
    """
    _check(photos, size)
    cohort = draw_cohort(photos, seed)
    with atomic_directory(out_dir) as folder:
        for part in PARTS:
            (folder / part).mkdir()
        _write_metadata(folder, cohort)
        _write_notes(folder, cohort, seed, size)
        draw = functools.partial(_draw_lesion, folder=folder, seed=seed, size=size)
        with ThreadPoolExecutor(max(1, jobs)) as pool:  # numpy and Pillow release the GIL: as fast as processes
            for done in itertools.accumulate(pool.map(draw, cohort)):
                if update:
                    update(done, photos)
    by_class = {dx: sum(len(one.photo_ids) for one in cohort if one.dx == dx) for dx in SHARES}
    return SampleSet(photos, len(cohort), by_class)


def photo_bytes(lesion: Lesion, seed: int, size: tuple[int, int]) -> Iterator[tuple[str, bytes]]:
    """Yield (photo id, JPEG) for each photo of a lesion: the same lesion and skin, another view and light."""
    rng = np.random.default_rng([seed, 1, lesion.number])
    drawn, person = draw_lesion(lesion.dx, rng), draw_person(rng)
    for photo_id in lesion.photo_ids:
        yield photo_id, take_photo(drawn, person, draw_view(lesion.radius, rng), size, rng)


def _check(photos: int, size: tuple[int, int]) -> None:
    if photos < len(SHARES):
        raise UsageError(f"{photos} photos are too few.", remedy=f"At least {len(SHARES)}, one a class.")
    if not all(32 <= side <= _MAX_SIDE for side in size):
        raise UsageError(
            f"Photos of {size[0]}x{size[1]} cannot be drawn.", remedy=f"A side has 32 to {_MAX_SIDE} pixels."
        )


def _draw_lesion(lesion: Lesion, folder: Path, seed: int, size: tuple[int, int]) -> int:
    for photo_id, data in photo_bytes(lesion, seed, size):
        _photo_path(folder, photo_id).write_bytes(data)
    return len(lesion.photo_ids)


def _photo_path(folder: Path, photo_id: str) -> Path:
    return folder / PARTS[int(photo_id[-1]) % 2] / f"{photo_id}.jpg"


def _write_metadata(folder: Path, cohort: Sequence[Lesion]) -> None:
    header = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
    rows = (
        (one.lesion_id, photo_id, one.dx, one.dx_type, f"{one.age}.0", one.sex, one.localization)
        for one in cohort
        for photo_id in one.photo_ids
    )
    write_text(folder / "HAM10000_metadata.csv", csv_text(header, rows))


def _write_notes(folder: Path, cohort: Sequence[Lesion], seed: int, size: tuple[int, int]) -> None:
    photos = sum(len(lesion.photo_ids) for lesion in cohort)
    text = (_HERE / "README.sample.md").read_text(encoding="utf-8")
    values = {"photos": photos, "lesions": len(cohort), "seed": seed, "width": size[0], "height": size[1]}
    (folder / "README.md").write_text(text.format(**values), encoding="utf-8")
    (folder / "LICENSE").write_text((_HERE / "LICENSE.sample.txt").read_text(encoding="utf-8"), encoding="utf-8")
