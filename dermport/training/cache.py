"""Folders of what can be computed again: found by a key, whole or absent, the least used removed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dermport.bundle.atomic import atomic_directory, write_json
from dermport.bundle.hashing import sha256_json
from dermport.training.locks import exclusive_lock

KEY = "key.json"
_DAY = 86_400.0


def kept_folder(cache: Path, key: dict[str, Any], make: Callable[[Path], None], *, keep: int) -> Path:
    """Return the folder of `key` in `cache`, made by `make` if it is not there; it is then the one used last.

    Args:
        cache: Where the folders are; may be absent.
        key: Everything that the content depends on, as a JSON document.
        make: Writes the content into the empty folder that it is given.
        keep: How many folders of the cache are kept, this one among them.
    """
    path = cache / sha256_json(key)[:32]
    if not path.is_dir():
        with exclusive_lock(cache / f".{path.name}.lock"):
            if not path.is_dir():  # else another process, which wanted the same, has made it meanwhile
                with atomic_directory(path, replace=True) as part:
                    make(part)
                    write_json(part / KEY, key)
    path.touch()
    prune(cache, keep)
    return path


def prune(cache: Path, keep: int) -> None:
    """Remove a cache's folders used least recently, and what a killed process left half-written."""
    entries = sorted(cache.glob("*/" + KEY), key=lambda key: key.parent.stat().st_mtime, reverse=True)
    for key in entries[keep:]:
        shutil.rmtree(key.parent, ignore_errors=True)
    for part in cache.glob(".*.part"):
        if time.time() - part.stat().st_mtime > _DAY:
            shutil.rmtree(part, ignore_errors=True)
