"""The golden set: photos, the exact tensors they become, and the probabilities that the original gives.

Layout below ``golden/``: ``golden.json``, ``tensors.npy`` (uint8 [N, S, S, 3]), ``photos/<file>``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dermport.bundle.atomic import write_json
from dermport.bundle.hashing import sha256_bytes
from dermport.contract import Contract, RelativePath, Sha256
from dermport.errors import IntegrityError


class GoldenPhoto(Contract):
    """One photo with what any port must make of it."""

    photo: RelativePath
    label: str | None
    lesion_id: str | None
    input_sha256: Sha256
    probabilities: tuple[float, ...]


class GoldenIndex(Contract):
    """The whole of ``golden/golden.json``."""

    schema_version: Annotated[Literal["dermport-golden/1"], Field(alias="schema")] = "dermport-golden/1"
    photos: Annotated[tuple[GoldenPhoto, ...], Field(min_length=1)]


@dataclass(frozen=True)
class GoldenSet:
    """The golden set in memory.

    Attributes:
        index: What ``golden.json`` says.
        tensors: uint8 [N, S, S, 3], in the order of `index.photos`.
    """

    index: GoldenIndex
    tensors: NDArray[np.uint8]

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The original's probabilities, float32 [N, C]."""
        return np.asarray([photo.probabilities for photo in self.index.photos], dtype=np.float32)


def write_golden(folder: Path, golden: GoldenSet, photos: dict[str, bytes]) -> None:
    """Write a golden set below `folder`; `photos` maps each ``photos/<file>`` to its bytes."""
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    for name, data in photos.items():
        (folder / name).write_bytes(data)
    np.save(folder / "tensors.npy", golden.tensors)
    write_json(folder / "golden.json", golden.index.model_dump(mode="json", by_alias=True))


def read_golden(folder: Path) -> GoldenSet:
    """Read a golden set and hold every tensor against its sha256.

    Raises:
        IntegrityError: A tensor is not the one that ``golden.json`` names.
    """
    index = GoldenIndex.model_validate_json((folder / "golden.json").read_bytes())
    tensors = np.load(folder / "tensors.npy", allow_pickle=False)
    for photo, tensor in zip(index.photos, tensors, strict=True):
        if sha256_bytes(tensor.tobytes()) != photo.input_sha256:
            raise IntegrityError(
                f"{folder / 'tensors.npy'}: the tensor of {photo.photo} has another sha256 than recorded."
            )
    return GoldenSet(index, tensors)
