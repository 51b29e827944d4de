"""Photos that the project drew, with the sha256 of the tensor that ``dermport-prep/1`` must make of each.

A port of the preprocessing (Swift, Kotlin, JavaScript) is right when it reaches every hash in ``vectors.json``, and
refuses what is ``refused`` there. ``python -m dermport.bundle.vectors.draw`` draws them again.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dermport.bundle.manifest import Preprocessing
from dermport.contract import Contract, RelativePath, Sha256

FOLDER = Path(__file__).parent


class Vector(Contract):
    """One photo, one preprocessing, the input it must become."""

    photo: RelativePath
    photo_sha256: Sha256
    preprocessing: Preprocessing
    input_sha256: Sha256


class RefusedPhoto(Contract):
    """One photo that is refused, and the code that names the reason."""

    photo: RelativePath
    photo_sha256: Sha256
    code: str


class Vectors(Contract):
    """The whole of ``vectors.json``."""

    schema_version: Annotated[Literal["dermport-vectors/1"], Field(alias="schema")] = "dermport-vectors/1"
    vectors: tuple[Vector, ...]
    refused: tuple[RefusedPhoto, ...]


@cache
def read_document() -> Vectors:
    """Return the whole of ``vectors.json``."""
    return Vectors.model_validate_json((FOLDER / "vectors.json").read_bytes())


def read_vectors() -> tuple[Vector, ...]:
    """Return the published vectors."""
    return read_document().vectors


def photo_names() -> list[str]:
    """Return the names of all photos of ``vectors.json``, below its folder, each once."""
    document = read_document()
    return sorted({one.photo for one in document.vectors} | {one.photo for one in document.refused})
