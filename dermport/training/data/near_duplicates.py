"""Near-duplicates: photos that show the same picture in other bytes (stored anew, resized, tinted, slightly cropped).

Each photo gets a perceptual hash of 256 bits (ImageHash's ``phash``, after Krawetz's "Looks Like It", 2011), taken of
the 64 x 64 picture that ``dermport-prep/1`` makes of it. Two photos whose hashes differ in few bits are linked, and
what is linked, directly or over others, belongs in one part of a split.

The bound was measured on 8,189 photos of HAM10000 (`python -m benchmarks.near_duplicates`): up to 32 bits, one pair of
33.5 million photos of different lesions is linked, and it is one picture in two tints (ISIC_0025226, ISIC_0030074).
From 36 bits on, the pairs are different lesions that look alike, and by 60 bits they chain 59 lesions into one
group; a hash of 64 bits chains 48 lesions before it finds as much. Of 300 photos that were changed, found again: JPEG
of quality 30 0.997, half the size 1.00, brightness by 1.3 0.993, 1 % cropped at each edge 1.00, 2 % 0.69, 5 % 0.01.
What was turned or mirrored is not found. Of nine photos that were at hand at 600 x 450 and at 200 x 150, all nine are
found, at 2 to 10 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
"""Pixels a side of the picture that is hashed."""
DISTANCE = 32
"""Bits in which the hashes of near-duplicates may differ, of 256."""
_HASH_SIDE = 16
HASH_BITS = _HASH_SIDE**2
_CELLS = 1 << 24  # of the table of distances that is held at a time: 64 MiB


@dataclass(frozen=True)
class Link:
    """Two photos that are near-duplicates.

    Attributes:
        first: The index of one.
        second: The index of the other, larger.
        distance: Bits in which their hashes differ.
    """

    first: int
    second: int
    distance: int


def perceptual_hash(picture: NDArray[np.uint8]) -> str:
    """Return the hash of a prepared photo, uint8 [64, 64, 3], as 64 hexadecimal digits."""
    import imagehash

    return str(imagehash.phash(Image.fromarray(picture), hash_size=_HASH_SIDE))


def find_links(hashes: Sequence[str], distance: int = DISTANCE) -> tuple[Link, ...]:
    """Return every pair of hashes that differ in at most `distance` bits, in the order of their indices."""
    if not hashes:
        return ()
    packed = np.array([np.frombuffer(bytes.fromhex(one), np.uint8) for one in hashes])
    signs = np.where(np.unpackbits(packed, axis=1), np.float32(1), np.float32(-1))
    rows = max(1, _CELLS // len(signs))
    links: list[Link] = []
    for start in range(0, len(signs), rows):
        # Equal bits less differing bits is the product of the signs: one matrix product instead of a loop over pairs.
        differing = (signs.shape[1] - signs[start : start + rows] @ signs[start:].T) / 2
        near = np.argwhere(np.triu(differing <= distance, k=1))
        links += [Link(start + int(i), start + int(j), int(differing[i, j])) for i, j in near]
    return tuple(links)


def joined_groups(groups: Sequence[str], pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return what each of `groups` is called once each pair is one; a joined group has the name of its first member.

    Args:
        groups: One for each record.
        pairs: Groups to be joined; they need not be among `groups`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = sorted(set(groups))
    names += sorted({name for pair in pairs for name in pair} - set(names))
    number = {name: index for index, name in enumerate(names)}
    ends = np.array([(number[one], number[other]) for one, other in pairs], dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)
    return tuple(names[first[component[number[group]]]] for group in groups)
