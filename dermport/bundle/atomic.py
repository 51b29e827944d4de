"""Files and folders that are whole or absent, whatever kills the writer."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dermport.errors import Parameters, UsageError

_LEAST_FREE = 1024 * 1024  # bytes; less is a full disk to whatever is written here


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Have everything below `folder` on the disk before whatever is written next."""
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def check_writable(path: Path) -> None:
    """See that a file or folder can be made at `path`, before the work whose result it is to hold.

    Raises:
        OSError: Its disk is full or can only be read, this user may not write there, or a file stands in the way.
    """
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    disk = os.statvfs(place)
    if place != path.absolute() and not place.is_dir():
        number = errno.ENOTDIR
    elif disk.f_flag & os.ST_RDONLY:
        number = errno.EROFS
    elif not os.access(place, os.W_OK):
        number = errno.EACCES
    elif disk.f_blocks and disk.f_bavail * disk.f_frsize < _LEAST_FREE:
        number = errno.ENOSPC
    else:
        return
    raise OSError(number, os.strerror(number), str(path))


def write_bytes(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path` so that a reader sees the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 `text` atomically (see :func:`write_bytes`); of a file's name that is no text, escapes."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, document: Any) -> None:
    """Write `document` as indented JSON with a final newline, atomically."""
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def atomic_directory(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it into place when the block ends without an error.

    Args:
        path: The folder to create.
        replace: Whether an existing folder may be replaced. The old one is renamed aside first and removed last,
            so that there is no moment at which neither exists under a name that a person can find.

    Raises:
        UsageError: `path` exists and `replace` is false.
    """
    if path.exists() and not replace:
        remedy = "Choose another {out}, or remove the folder first."
        raise UsageError(f"{path} exists already.", remedy=remedy, of=Parameters)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    try:
        part.chmod(0o755)
        yield part
        sync_tree(part)
        _swap(part, path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    _sync(path.parent)


def _swap(part: Path, path: Path) -> None:
    if not path.exists():
        part.rename(path)
        return
    old = part.with_suffix(".old")
    path.rename(old)
    part.rename(path)
    shutil.rmtree(old, ignore_errors=True)
