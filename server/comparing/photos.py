"""The photos of comparisons, where they are kept: as the pixels that the model was given, and nothing else of them."""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from bundle.atomic import write_bytes
from bundle.errors import RequestError
from server.comparing.experiments import Tensor
from server.storage.database import disk_full, unavailable

_FILE = re.compile(r"\.?([0-9a-f]{32})\.png(\..*\.part)?")
_FULL = (errno.ENOSPC, errno.EDQUOT)


class KeptPhotos:
    """A folder of ``<comparison id>.png``.

    Args:
        folder: Where they are; made with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, comparison_id: str, tensor: Tensor) -> None:
        """Keep a prepared photo, uint8 [S, S, 3]; its file is whole or absent.

        Raises:
            RequestError: 507 or 503 "storage-unavailable".
        """
        file = io.BytesIO()
        Image.fromarray(tensor).save(file, "PNG")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_bytes(self._path(comparison_id), file.getvalue())
        except OSError as error:
            raise _refusal(error) from error

    def remove(self, comparison_id: str) -> None:
        """Delete a photo, if it is there.

        Raises:
            RequestError: 503 "storage-unavailable".
        """
        try:
            self._path(comparison_id).unlink(missing_ok=True)
        except OSError as error:
            raise _refusal(error) from error

    def files(self) -> Iterator[tuple[str, Path]]:
        """Yield the comparison's id and the path of every file that is there, half-written ones too."""
        for path in sorted(self._folder.glob("*.png")) + sorted(self._folder.glob(".*.part")):
            if match := _FILE.fullmatch(path.name):
                yield match[1], path

    def _path(self, comparison_id: str) -> Path:
        return self._folder / f"{comparison_id}.png"


def _refusal(error: OSError) -> RequestError:
    return disk_full() if error.errno in _FULL else unavailable()
