"""One hash that stands for a data set's content."""

from __future__ import annotations

from collections.abc import Iterable

from dermport.bundle.hashing import sha256_json
from dermport.training.data.records import Record


def fingerprint(records: Iterable[Record]) -> str:
    """Return the sha256 over every photo's id, bytes, source label and lesion.

    Neither the order of the records nor where the photos lie changes it; any change to a photo or its label does.
    """
    return sha256_json(sorted([one.photo_id, one.sha256, one.label, one.lesion_id] for one in records))
