"""What front process and worker say to each other about lent connections, over a socket that keeps messages apart.

To the worker goes, with an open connection, ``number permit``; the end of the stream recalls them all. To the front
process go messages of one letter, a number and bytes: what was read of a connection, what could not be written yet,
that it is given back, and what was answered. The worker closes its end once everything has been given back.
"""

from __future__ import annotations

import socket
import struct
from typing import Literal, NamedTuple

Kind = Literal[b"R", b"U", b"B", b"A"]
RECEIVED: Kind = b"R"  # bytes that were read of a connection, in order
UNSENT: Kind = b"U"  # bytes of an answer that its client did not take yet
BACK: Kind = b"B"  # the connection is the front process's again
ANSWERED: Kind = b"A"  # records of answered requests, as JSON; no connection's
MOST = 1 << 17  # a message, with its first bytes, has less
_CHUNK = 1 << 16
_FIRST = struct.Struct("!cI")


class Said(NamedTuple):
    """A message of a worker."""

    kind: bytes
    number: int
    data: bytes


def lane_pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a lane: the front process's, and a worker's."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def lend(lane: socket.socket, number: int, permit: str, connection: socket.socket) -> None:
    """Send an open connection to a worker; OSError where it takes none now."""
    socket.send_fds(lane, [b"%d " % number, permit.encode()], [connection.fileno()])


def borrow(lane: socket.socket) -> tuple[int, bytes, socket.socket] | None:
    """Return the number, permit and connection that were lent; None where all are recalled."""
    message, descriptors, _, _ = socket.recv_fds(lane, MOST, 1)
    if not message:
        return None
    number, _, permit = message.partition(b" ")
    return int(number), permit, socket.socket(fileno=descriptors[0])


def say(lane: socket.socket, kind: Kind, number: int, data: bytes = b"") -> None:
    """Send a message, or several where `data` is long."""
    for begin in range(0, len(data) or 1, _CHUNK):
        lane.sendall(_FIRST.pack(kind, number) + data[begin : begin + _CHUNK])


def hear(lane: socket.socket) -> Said | None:
    """Return the next message of a worker; None where there will be no more. BlockingIOError: there is none yet."""
    message = lane.recv(MOST)
    if not message:
        return None
    kind, number = _FIRST.unpack_from(message)
    return Said(kind, number, message[_FIRST.size :])
