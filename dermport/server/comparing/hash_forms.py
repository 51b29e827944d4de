"""What else a phone may have hashed: the same pixels in another form, or in another order of the channels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from dermport.bundle.hashing import sha256_bytes
from dermport.server.comparing.likeness import Tensor

RGB = (0, 1, 2)
ORDERS = tuple(sorted(permutations(RGB), key=lambda order: (order != RGB, order != (2, 1, 0))))
_LETTERS = "RGB"


def order_words(order: tuple[int, ...]) -> str:
    """Return an order of channels as letters, e.g. ``BGR``."""
    return "".join(_LETTERS[channel] for channel in order)


def reordered(tensor: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return a tensor, uint8 [S, S, 3], whose channel i is the given one's channel ``order[i]``."""
    return np.ascontiguousarray(tensor[:, :, list(order)])


def form_of(tensor: Tensor, sha256: str) -> str | None:
    """Return in which other form the tensor's pixels have this sha256, in words; None where in none."""
    return next((words for words, data in _forms(tensor) if sha256_bytes(data) == sha256), None)


def _forms(tensor: Tensor) -> Iterator[tuple[str, bytes]]:
    opaque = np.full((*tensor.shape[:2], 1), 255, np.uint8)
    yield "RGBA bytes, as a canvas gives them", np.concatenate([tensor, opaque], axis=2).tobytes()
    yield "float32 of 0..255", tensor.astype(np.float32).tobytes()
    yield "float32 of 0..1", (tensor.astype(np.float32) / np.float32(255)).tobytes()
    yield "float32 of -1..1", (tensor.astype(np.float32) / np.float32(127.5) - np.float32(1)).tobytes()
    yield "planes (channels first)", np.ascontiguousarray(tensor.transpose(2, 0, 1)).tobytes()
