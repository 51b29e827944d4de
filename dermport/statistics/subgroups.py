"""The groups of people whose photos are looked at apart: by age, sex, site of the lesion, and skin tone.

The one definition of training's evaluation and of the benchmark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dermport.statistics.skin_tone import BANDS, UNKNOWN, tone_groups

Metadata = Mapping[str, str]
GroupKind = Literal["age", "sex", "site", "skin tone"]
Group = tuple[GroupKind, str, NDArray[np.bool_]]

KINDS: dict[GroupKind, str] = {"age": "Age", "sex": "Sex", "site": "Body site", "skin tone": "Skin tone"}
_AGES = ((30, "under 30"), (45, "30–44"), (60, "45–59"), (75, "60–74"), (200, "75 and over"))
# The names of columns, as HAM10000 and the ISIC archive write them.
_AGE = ("age", "age_approx")
_SEX = ("sex", "gender")
_SITE = ("localization", "anatom_site_general", "anatom_site", "site")
_NOTHING = frozenset({"", "unknown", "nan", "none", "na", "n/a"})


def grouped(metadata: Sequence[Metadata], tensors: NDArray[np.uint8]) -> Iterator[Group]:
    """Yield each group's kind, name and members (bool [N]), in an order for people; those without photos are left out.

    A kind of which the data say nothing is left out too; the skin tone is estimated (see
    :mod:`dermport.statistics.skin_tone`).

    Args:
        metadata: The data set's columns of each photo, [N].
        tensors: The photos, uint8 [N, S, S, 3].
    """
    columns: tuple[tuple[GroupKind, Sequence[str], Sequence[str]], ...] = (
        ("age", _column(metadata, age_band), [name for _, name in _AGES]),
        ("sex", _column(metadata, lambda photo: _first(photo, _SEX)), []),
        ("site", _column(metadata, lambda photo: _first(photo, _SITE)), []),
        ("skin tone", tone_groups(tensors), [name for name, _ in BANDS]),
    )
    for kind, names, order in columns:
        known = set(names) - {UNKNOWN}
        for name in (*_ordered(known, order), UNKNOWN) if known else ():
            members = np.array([each == name for each in names])
            if members.any():
                yield kind, name, members


def age_band(photo: Metadata) -> str:
    """Return the band of a photo's age, :data:`UNKNOWN` where it is no number."""
    try:
        age = float(_first(photo, _AGE).replace(",", "."))  # a table with semicolons has 57,5
    except ValueError:
        return UNKNOWN
    return next((name for below, name in _AGES if 0 <= age < below), UNKNOWN)


def _column(metadata: Sequence[Metadata], read: Callable[[Metadata], str]) -> list[str]:
    return [read(photo) for photo in metadata]


def _first(photo: Metadata, names: Sequence[str]) -> str:
    by_name = {name.lower(): value.strip().lower() for name, value in photo.items()}
    return next((by_name[name] for name in names if by_name.get(name, "") not in _NOTHING), UNKNOWN)


def _ordered(names: set[str], order: Sequence[str]) -> list[str]:
    return [name for name in order if name in names] if order else sorted(names)
