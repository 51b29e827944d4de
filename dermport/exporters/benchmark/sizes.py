"""How large an artifact is, as stored and as a download compresses it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

_CHUNK = 1 << 20


def files_of(artifact: Path) -> tuple[Path, ...]:
    """Return the files of an artifact, which is a file or a folder (an .mlpackage), sorted by path."""
    return tuple(sorted(path for path in artifact.rglob("*") if path.is_file())) if artifact.is_dir() else (artifact,)


def stored_bytes(artifact: Path) -> int:
    """Return the bytes of all files of an artifact together."""
    return sum(path.stat().st_size for path in files_of(artifact))


def compressed_bytes(artifact: Path) -> int:
    """Return the bytes of all files of an artifact, each by itself compressed with DEFLATE at level 9 (zlib's form).

    Names, dates and other heads of an archive are not counted, so equal artifacts always give equal figures.
    """
    return sum(sum(map(len, _deflated(path))) for path in files_of(artifact))


def _deflated(path: Path) -> Iterator[bytes]:
    packer = zlib.compressobj(9)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield packer.compress(chunk)
    yield packer.flush()
