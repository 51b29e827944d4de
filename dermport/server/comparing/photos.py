"""The photos of comparisons, where they are kept: as the pixels that the model was given, and nothing else of them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image

from dermport.bundle.atomic import write_bytes
from dermport.server.comparing.likeness import Tensor
from dermport.server.storage.folder import private_folder, refusal

_FILE = re.compile(r"\.?([0-9a-f]{32})(?:\.phone)?\.png(\..*\.part)?")


class KeptPhotos:
    """A folder of ``<comparison id>.png``, the server's tensors, and ``<comparison id>.phone.png``, phones' other ones.

    Args:
        folder: Where they are; made with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, comparison_id: str, tensor: Tensor, phone: Tensor | None = None) -> None:
        """Keep a prepared photo; each file is whole or absent.

        Args:
            comparison_id: Whose photo it is.
            tensor: What the server made of it, uint8 [S, S, 3].
            phone: What the phone made of it, uint8 [S, S, 3]; None where that is the same or not known.

        Raises:
            StorageError: The folder cannot be used.
        """
        try:
            private_folder(self._folder)
            for path, pixels in zip(self._paths(comparison_id), (tensor, phone), strict=True):
                if pixels is not None:
                    write_bytes(path, _png(pixels), mode=0o600)
        except OSError as error:
            raise refusal(self._folder, error) from error

    def read(self, comparison_id: str) -> tuple[Tensor, Tensor] | None:
        """Return the phone's tensor and the server's, uint8 [S, S, 3] each; None where not both were kept.

        Raises:
            StorageError: The folder cannot be used.
        """
        server, phone = self._paths(comparison_id)
        try:
            return np.asarray(Image.open(phone), np.uint8), np.asarray(Image.open(server), np.uint8)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise refusal(self._folder, error) from error

    def remove(self, comparison_id: str) -> None:
        """Delete a photo, if it is there.

        Raises:
            StorageError: The folder cannot be used.
        """
        try:
            for path in self._paths(comparison_id):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise refusal(self._folder, error) from error

    def files(self, before: datetime) -> Iterator[tuple[str, Path]]:
        """Yield the comparison's id and the path of every file from before a time, half-written ones too."""
        for path in sorted(self._folder.glob("*.png")) + sorted(self._folder.glob(".*.part")):
            match = _FILE.fullmatch(path.name)
            if match and path.exists() and path.stat().st_mtime < before.timestamp():
                yield match[1], path

    def _paths(self, comparison_id: str) -> tuple[Path, Path]:
        return self._folder / f"{comparison_id}.png", self._folder / f"{comparison_id}.phone.png"


def _png(tensor: Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(tensor).save(file, "PNG")
    return file.getvalue()
