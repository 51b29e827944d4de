"""The Skin Lesions Classification Dataset, SLCD (Kaggle: ahmedxc4/skin-ds): 14 class folders below train, val and test.

Its photos come from ISIC 2019 and from the Mpox Skin Lesion Dataset v2.0 (MSLD), the latter with augmented copies: a
random split of its photos, or the one that it comes with, tests on copies of what it trained on. The names of the files
tell which copies belong together: ``ISIC_0024306...`` is one photo of ISIC, ``MKP_17_02_...`` one of MSLD's patient 17
of class MKP. (Folders and names as found in what others published about the data set; a copy of it was not at hand.)
Where ISIC 2019's ``ISIC_2019_Training_Metadata.csv`` lies in the folder, its lesions are taken over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from dermport.training.data.folders import FolderLayout, FolderReader
from dermport.training.data.isic import read_lesions
from dermport.training.data.records import Dropped, Record
from dermport.training.data.tasks import plain

CLASSES = (
    "Actinic keratoses",
    "Basal cell carcinoma",
    "Benign keratosis-like-lesions",
    "Chickenpox",
    "Cowpox",
    "Dermatofibroma",
    "Healthy",
    "HFMD",
    "Measles",
    "Melanocytic nevi",
    "Melanoma",
    "Monkeypox",
    "Squamous cell carcinoma",
    "Vascular lesions",
)
_ISIC = re.compile(r"^(ISIC_\d{7})")
_MSLD = re.compile(r"^((?:MKP|CHP|CWP|MSL|HFMD|HEALTHY)_\d+)_\d+", re.IGNORECASE)
_MOST = len(CLASSES) // 2


def is_slcd(root: Path) -> bool:
    """Return whether more than half of SLCD's 14 class folders, and no others, lie in `root` or in its parts."""
    names = {plain(folder.label) for folder in FolderLayout(root).classes}
    return len(names) > _MOST and names <= {plain(name) for name in CLASSES}


class SlcdReader(FolderReader):
    """Reads the folders as :class:`FolderReader` does, with the lesions and patients that the files' names tell."""

    name = "slcd"

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield one record per photo, class by class, in the order of their names."""
        for entry in super().iter_records():
            yield entry if isinstance(entry, Dropped) or self.lesion_pattern else self._named(entry)

    def _named(self, record: Record) -> Record:
        stem = record.path.stem
        if isic := _ISIC.match(stem):
            photo = isic.group(1)
            known = self._lesions.get(photo) or self._lesions.get(f"{photo}_downsampled") or {}
            return replace(record, lesion_id=known.get("lesion_id") or photo)
        if msld := _MSLD.match(stem):
            return replace(record, lesion_id=msld.group(0), group_id=f"patient {msld.group(1)}")
        return record

    @cached_property
    def _lesions(self) -> dict[str, Mapping[str, str]]:
        return read_lesions(self.root)
