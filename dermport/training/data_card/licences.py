"""Under what terms the photos are, as far as what lies beside them tells."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from dermport.training.data.dataset import Dataset
from dermport.training.data.merged import MergedReader
from dermport.training.data.records import Reader
from dermport.training.data_card.card import Licence
from dermport.training.evaluation.model_card import read_licence

UNKNOWN = "UNKNOWN: nothing beside the photos says under what terms they are."
_COLUMN = "licence"  # of the ISIC archive's metadata, photo by photo
# What the publishers say; a copy of the layout does not prove that these are the photos.
_PUBLISHED = {
    "ham10000": "HAM10000 was published as CC BY-NC 4.0 (doi:10.7910/DVN/DBW86T).",
    "isic-challenge": "The ISIC challenges of 2018 and 2019 were published as CC BY-NC 4.0.",
}


def licences(reader: Reader, dataset: Dataset) -> tuple[Licence, ...]:
    """Return the licence of each source: of the file that names it, of a LICENSE beside it, or of its own metadata."""
    if isinstance(reader, MergedReader):
        return tuple(
            Licence(source=one.name, known=True, text=one.licence, where=reader.root.name)
            if one.licence
            else _beside(one.name, one.path, one.reader, dataset, f"{one.name}/")
            for one in reader.sources
        )
    return (_beside(reader.root.resolve().name, reader.root, reader, dataset, ""),)


def _beside(name: str, path: Path, reader: Reader, dataset: Dataset, prefix: str) -> Licence:
    if text := read_licence(path).strip():
        return Licence(source=name, known=True, text=text, where="LICENSE beside the photos")
    column = Counter(
        record.metadata[_COLUMN]
        for record in dataset.records
        if record.photo_id.startswith(prefix) and record.metadata.get(_COLUMN)
    )
    if column:
        text = ", ".join(f"{licence}: {photos:,} photos" for licence, photos in column.most_common())
        return Licence(source=name, known=True, text=text, where="the metadata, photo by photo")
    published = _PUBLISHED.get(reader.name, "")
    return Licence(source=name, known=False, text=f"{UNKNOWN} {published}".strip(), where="")
