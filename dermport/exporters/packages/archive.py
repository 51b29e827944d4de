"""Zips whose bytes depend on nothing but their contents."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Mapping

from dermport.bundle.hashing import sha256_bytes

SUMS = "SHA256SUMS"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can name
_MODE = stat.S_IFREG | 0o644
_UNIX = 3


def with_sums(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return `files` with one more that ``sha256sum --check SHA256SUMS`` reads."""
    lines = (f"{sha256_bytes(files[path])}  {path}\n" for path in sorted(files))
    return {**files, SUMS: "".join(lines).encode()}


def zip_bytes(top: str, files: Mapping[str, bytes]) -> bytes:
    """Return a zip that holds `files` below one folder `top`: equal files give equal bytes, on any machine.

    The files are stored, not deflated: zlib and its drop-in replacements write different bytes for the same data, and
    the sha256 of a package would depend on the machine. That costs size, about a fifth where float32 weights dominate.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(f"{top}/{path}", _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            archive.writestr(entry, files[path])
    return buffer.getvalue()
