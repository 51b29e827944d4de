"""Photos that are meant to hurt whoever decodes them."""

from __future__ import annotations

import struct
from random import Random

SCANS = 36_000
_EOI = b"\xff\xd9"
_SIDE = 2048


def scan_bomb(scans: int = SCANS, side: int = _SIDE) -> bytes:
    """Return a progressive JPEG of half a megabyte in which each of many scans passes over all blocks and says nothing.

    ITU-T T.81: F.1.2.1 (DC differences of category 0: one bit a block), G.1.2.2 (EOB14: a run of at least 2**14 empty
    blocks in 15 bits).
    """
    blocks = (side // 8) ** 2
    tables = _segment(0xDB, b"\0" + b"\1" * 64)
    frame = _segment(0xC2, struct.pack(">BHHB3B", 8, side, side, 1, 1, 0x11, 0))
    codes = _segment(0xC4, b"\x00\1" + bytes(15) + b"\0" + b"\x10\1" + bytes(15) + b"\xe0")
    flat = _scan(0, 0) + bytes(blocks // 8)
    runs = -(-blocks // 2**14)
    bits = (runs * 15 + 7) // 8 * 8
    empty = _scan(1, 63) + ((1 << bits - runs * 15) - 1).to_bytes(bits // 8, "big")
    return b"\xff\xd8" + tables + frame + codes + flat + empty * scans + _EOI


def damaged(photo: bytes, random: Random) -> bytes:
    """Return a JPEG whose pixels are cut, overwritten or missing; no decoder may take it for the photo."""
    scan = photo.index(b"\xff\xda") + 14
    at = random.randrange(scan + 200, len(photo) - 200)
    match random.randrange(3):
        case 0:
            return photo[:at] + _EOI
        case 1:
            return photo[:at] + bytes(100) + photo[at + 100 :]
        case _:
            return photo[:scan] + _EOI


def _scan(first: int, last: int) -> bytes:
    return _segment(0xDA, bytes((1, 1, 0, first, last, 0)))


def _segment(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(content) + 2) + content
