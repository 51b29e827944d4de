"""gzip variants of files, made once and kept in the state folder."""

from __future__ import annotations

import gzip
import logging
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from dermport.bundle.atomic import write_bytes
from dermport.bundle.hashing import sha256_stream
from dermport.server.delivery.checked_files import FileStamp, stamp_of
from dermport.server.storage.folder import private_folder

_LOG = logging.getLogger("dermport.handout")
WORTH_IT = 0.95
"""A variant that is larger than this share of its file is not kept."""
_BLOCK = 1 << 20


class GzipVariants:
    """The variants, ``<sha256>.gz``; where one would not be worth it, an empty ``<sha256>.plain`` says so.

    Args:
        folder: Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._proved: dict[str, FileStamp] = {}
        self._working = threading.Lock()

    def open(self, file: BinaryIO, sha256: str) -> BinaryIO | None:
        """Open the variant of a file with the bytes that `sha256` names; the caller closes it.

        None where it would not be worth it, or while another thread is still making one: nobody waits for it.

        Args:
            file: The file itself, open; left at its beginning.
            sha256: Of the file.
        """
        found = self._proved_variant(sha256)
        if found or not self._working.acquire(blocking=False):
            return found
        try:
            return self._kept(sha256) or self._made(file, sha256)
        except OSError as error:
            _LOG.warning("no gzip variant of %s: %s", sha256, error.strerror)
            return None
        finally:
            self._working.release()
            file.seek(0)

    def keep_only(self, wanted: Iterable[str]) -> None:
        """Remove the variants of all but the `wanted` sha256."""
        keep = set(wanted)
        for path in self._folder.glob("*"):
            if path.stem not in keep:
                path.unlink(missing_ok=True)

    def _proved_variant(self, sha256: str) -> BinaryIO | None:
        try:
            file = (self._folder / f"{sha256}.gz").open("rb")
        except OSError:
            return None
        if self._proved.get(sha256) == stamp_of(file.fileno()):
            return file
        file.close()
        return None

    def _kept(self, sha256: str) -> BinaryIO | None:
        """Prove the variant that an earlier process made, if there is one and it is whole."""
        try:
            with gzip.open(self._folder / f"{sha256}.gz") as unpacked:
                if sha256_stream(unpacked) == sha256:
                    self._proved[sha256] = stamp_of(unpacked.fileno())
        except (OSError, EOFError, zlib.error):
            return None
        return self._proved_variant(sha256)

    def _made(self, file: BinaryIO, sha256: str) -> BinaryIO | None:
        not_worth_it = self._folder / f"{sha256}.plain"
        if not_worth_it.exists():
            return None
        private_folder(self._folder)
        packed = b"".join(_packed(file))
        if len(packed) > WORTH_IT * file.tell():
            write_bytes(not_worth_it, b"", mode=0o600)
            return None
        write_bytes(self._folder / f"{sha256}.gz", packed, mode=0o600)
        return self._kept(sha256)


def _packed(file: BinaryIO) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    while block := file.read(_BLOCK):
        yield packer.compress(block)
    yield packer.flush()
