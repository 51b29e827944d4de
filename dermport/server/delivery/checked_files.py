"""Files on disk that are handed out only while their bytes are the listed ones."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import BinaryIO, NamedTuple

from dermport.bundle.hashing import sha256_stream
from dermport.bundle.wire import ReleaseFile
from dermport.errors import RequestError

_LOG = logging.getLogger("dermport.handout")


class FileStamp(NamedTuple):
    """What of a file changes whenever it is written or replaced."""

    device: int
    inode: int
    size: int
    written: int
    changed: int


def stamp_of(descriptor: int) -> FileStamp:
    """Return what tells whether an open file was written or replaced since."""
    found = os.fstat(descriptor)
    return FileStamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class CheckedFiles:
    """Opens listed files; their sha256 is taken the first time, and again whenever they look changed."""

    def __init__(self) -> None:
        self._checked: dict[Path, tuple[FileStamp, str]] = {}
        self._lock = threading.Lock()

    def open(self, path: Path, listed: ReleaseFile) -> BinaryIO:
        """Open a file, at its beginning; the caller closes it.

        Raises:
            RequestError: 503: it is missing, or its bytes are not the listed ones.
        """
        try:
            file = path.open("rb")
        except OSError as error:
            _LOG.error("%s cannot be handed out: %s", path, error.strerror)
            raise _refusal("is missing or cannot be read", "file-missing") from error
        try:
            self._check(path, file, listed)
        except BaseException:
            file.close()
            raise
        return file

    def _check(self, path: Path, file: BinaryIO, listed: ReleaseFile) -> None:
        look = stamp_of(file.fileno())
        with self._lock:
            known = self._checked.get(path)
        if known != (look, listed.sha256):
            if look.size != listed.bytes or sha256_stream(file) != listed.sha256:
                _LOG.error("%s is not the file that was recorded", path)
                raise _refusal("is not the one that the manifest lists", "file-changed")
            file.seek(0)
            with self._lock:
                self._checked[path] = look, listed.sha256


def _refusal(what: str, code: str) -> RequestError:
    return RequestError(
        f"The file on the server {what}.",
        code=code,
        status=503,
        remedy="Keep the model that you have. Whoever runs the server must restore the bundle.",
    )
