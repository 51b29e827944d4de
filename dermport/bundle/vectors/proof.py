"""Prove that the decoders and the resizer installed here are those of ``dermport-prep/1``, on its published photos.

Another libjpeg, another Pillow or another processor's code paths would make other inputs, unnoticed: a model answers
any input. So the server (at start), ``dermport verify`` and ``dermport doctor`` run this first, in less than 0.1 s.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from dermport.bundle.manifest import PREP_ID
from dermport.bundle.prep import prepare
from dermport.bundle.vectors import FOLDER, Vector, read_document
from dermport.errors import PhotoError

REMEDY = "Install the versions of pillow and simplejpeg that constraints.txt names."
_SPECS = 3  # preprocessings of each photo in vectors.json
_LARGE = 100_000  # bytes; a photo of so many takes longer than all others, and decodes in the same way as they do


@cache
def failing_photos() -> tuple[str, ...]:
    """Return the published photos that become another input here, or that should be refused and are not.

    What is installed does not change while a process runs, so it is looked at once.
    """
    return tuple(_failing())


def misreading() -> str:
    """Say in a sentence which published photos this machine reads otherwise, or return an empty string."""
    failing = failing_photos()
    return f"This machine does not read these photos as {PREP_ID} defines: {', '.join(failing)}." if failing else ""


def _failing() -> Iterator[str]:
    document = read_document()
    for index, vector in enumerate(document.vectors):
        if not _is_asked(index, vector.photo):
            continue
        if _became(vector.photo, vector) != vector.input_sha256:
            yield vector.photo
    for refused in document.refused:
        if _became(refused.photo, document.vectors[0]) != refused.code:
            yield refused.photo


def _is_asked(index: int, photo: str) -> bool:
    """Whether a vector is one of those that are run: each small photo once, with each of its preprocessings in turn."""
    return index % _SPECS == index // _SPECS % _SPECS and (FOLDER / photo).stat().st_size < _LARGE


def _became(photo: str, vector: Vector) -> str:
    """Return the sha256 of the input that a photo becomes, or the code of its refusal."""
    try:
        return prepare((FOLDER / photo).read_bytes(), vector.preprocessing).input_sha256
    except PhotoError as error:
        return error.code
