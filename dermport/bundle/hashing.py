"""sha256 of bytes, files and documents."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any, BinaryIO


def sha256_bytes(data: bytes | memoryview) -> str:
    """Return the sha256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file's bytes as 64 hexadecimal digits, reading 1 MiB at a time."""
    with path.open("rb") as file:
        return sha256_stream(file)


def sha256_stream(file: BinaryIO | io.BufferedIOBase) -> str:
    """Return the sha256 of what is left to read of `file` as 64 hexadecimal digits, reading 1 MiB at a time."""
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def sha256_json(document: Any) -> str:
    """Return the sha256 of a JSON document in its canonical form (sorted keys, no white space)."""
    return sha256_bytes(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())
