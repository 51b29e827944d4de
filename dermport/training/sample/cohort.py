"""Who is photographed: the people, lesions and photos of a sample set, drawn from its seed before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Shares of the classes: the order of HAM10000's, with the rare ones raised so that a small set still has some of each.
SHARES: Mapping[str, float] = {
    "akiec": 0.09, "bcc": 0.12, "bkl": 0.15, "df": 0.07, "mel": 0.15, "nv": 0.34, "vasc": 0.08,
}  # fmt: skip
_PHOTOS_PER_LESION = 1.6
_MEAN_AGE: Mapping[str, float] = {"akiec": 68, "bcc": 67, "bkl": 65, "df": 53, "mel": 61, "nv": 45, "vasc": 52}
_DX_TYPES: Mapping[str, tuple[str, ...]] = {
    "akiec": ("histo",), "bcc": ("histo",), "mel": ("histo",), "bkl": ("histo", "consensus", "confocal"),
    "df": ("histo", "consensus"), "nv": ("follow_up", "histo", "consensus"), "vasc": ("histo", "consensus"),
}  # fmt: skip
_SITES = (
    "back", "lower extremity", "trunk", "upper extremity", "abdomen", "face", "chest", "foot", "neck", "scalp", "hand",
)  # fmt: skip


@dataclass(frozen=True)
class Lesion:
    """One drawn lesion and what its metadata say.

    Attributes:
        number: 0, 1, ...: its seed below the set's.
        lesion_id: As in the metadata.
        dx: HAM10000's code of its class.
        photo_ids: Its photos.
        radius: Its mean radius as a share of half a photo's height.
        dx_type: How the diagnosis is said to have been made.
        age: Years, in steps of five as HAM10000 gives them.
        sex: "male" or "female".
        localization: Where on the body.
    """

    number: int
    lesion_id: str
    dx: str
    photo_ids: tuple[str, ...]
    radius: float
    dx_type: str
    age: int
    sex: str
    localization: str


def draw_cohort(photos: int, seed: int) -> tuple[Lesion, ...]:
    """Return the lesions of a set of exactly `photos` photos; several photos can show one lesion.

    Every class has at least three lesions from 21 photos on. Ids say nothing of the class.
    """
    rng = np.random.default_rng([seed, 0])
    counts = [(dx, count) for dx, n in _photos_by_class(photos).items() for count in _photos_by_lesion(n, rng)]
    rng.shuffle(counts)
    numbers = iter(rng.permutation(photos).tolist())
    lesions = []
    for number, (dx, count) in enumerate(counts):
        photo_ids = tuple(f"SAMPLE_{next(numbers):07d}" for _ in range(count))
        lesions.append(_lesion(number, dx, photo_ids, rng))
    return tuple(lesions)


def _photos_by_class(photos: int) -> dict[str, int]:
    floor = min(3, photos // len(SHARES))
    spare = photos - floor * len(SHARES)
    exact = {dx: spare * share for dx, share in SHARES.items()}
    counts = {dx: floor + int(value) for dx, value in exact.items()}
    by_remainder = sorted(SHARES, key=lambda dx: (int(exact[dx]) - exact[dx], dx))
    for dx in by_remainder[: photos - sum(counts.values())]:
        counts[dx] += 1
    return counts


def _photos_by_lesion(photos: int, rng: np.random.Generator) -> Sequence[int]:
    lesions = max(min(3, photos), round(photos / _PHOTOS_PER_LESION))
    extra = rng.integers(0, lesions, photos - lesions) if photos else np.zeros(0, np.int64)
    return [int(count) for count in 1 + np.bincount(extra, minlength=lesions)]


def _lesion(number: int, dx: str, photo_ids: tuple[str, ...], rng: np.random.Generator) -> Lesion:
    age = float(np.clip(rng.normal(_MEAN_AGE[dx], 14), 5, 85))
    return Lesion(
        number=number,
        lesion_id=f"DRAWN_{number:07d}",
        dx=dx,
        photo_ids=photo_ids,
        radius=float(rng.uniform(0.35, 0.85)),
        dx_type=str(rng.choice(_DX_TYPES[dx])),
        age=5 * round(age / 5),
        sex=str(rng.choice(["male", "female"])),
        localization=str(rng.choice(_SITES)),
    )
