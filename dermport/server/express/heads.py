"""The head of a request, as far as the express lane looks at it."""

from __future__ import annotations

from dataclasses import dataclass

END = b"\r\n\r\n"
_LENGTH, _REQUEST_ID = b"content-length:", b"x-request-id:"
_MOST_DIGITS = 9


@dataclass(frozen=True)
class Head:
    """A plain head.

    Attributes:
        same: What stays the same from request to request: all lines but those of length and request id.
        length: Bytes of the body.
        request_id: What the sender calls the request; empty where it does not.
    """

    same: bytes
    length: int
    request_id: str


def read_head(head: bytes) -> Head | None:
    """Return what a head says, from its request line to the blank line that ends it; None where it is not plain.

    A plain head says its length once, names no more than one request id, and continues no line on the next one.
    """
    same: list[bytes] = []
    lengths: list[bytes] = []
    request_ids: list[bytes] = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            return None
        start = line[: len(_LENGTH)].lower()
        if start == _LENGTH:
            lengths.append(line[len(_LENGTH) :].strip())
        elif start.startswith(_REQUEST_ID):
            request_ids.append(line[len(_REQUEST_ID) :].strip())
        else:
            same.append(line)
    if len(lengths) != 1 or len(request_ids) > 1 or not lengths[0].isdigit() or len(lengths[0]) > _MOST_DIGITS:
        return None
    request_id = request_ids[0].decode("latin-1") if request_ids else ""
    return Head(b"\r\n".join(same), int(lengths[0]), request_id)
