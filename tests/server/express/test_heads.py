"""What the express lane reads of a head, and which heads it leaves to the front process."""

from __future__ import annotations

import pytest

from dermport.server.express.heads import read_head

FIRST = b"POST /v1/predict HTTP/1.1\r\n"


def test_length_and_request_id_are_read_and_everything_else_is_kept() -> None:
    one = read_head(FIRST + b"Host: a\r\nContent-Length: 12\r\nX-Request-ID: abc\r\nAccept: */*\r\n\r\n")
    other = read_head(FIRST + b"Host: a\r\nCONTENT-LENGTH:7\r\nAccept: */*\r\n\r\n")
    assert one is not None
    assert other is not None
    assert (one.length, one.request_id, other.length, other.request_id) == (12, "abc", 7, "")
    assert one.same == other.same == FIRST + b"Host: a\r\nAccept: */*\r\n\r\n"


@pytest.mark.parametrize(
    "changed",
    [
        b"POST /v1/predict?decoding=draft HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
        FIRST + b"Host: b\r\nContent-Length: 1\r\n\r\n",
        FIRST + b"Host: a\r\nContent-Length: 1\r\nX-API-Key: other\r\n\r\n",
        FIRST + b"host: a\r\nContent-Length: 1\r\n\r\n",
    ],
)
def test_any_other_difference_is_one(changed: bytes) -> None:
    usual, other = read_head(FIRST + b"Host: a\r\nContent-Length: 1\r\n\r\n"), read_head(changed)
    assert usual is not None
    assert other is not None
    assert usual.same != other.same


@pytest.mark.parametrize(
    "lines",
    [
        b"Host: a\r\n",
        b"Content-Length: 1\r\nContent-Length: 1\r\n",
        b"Content-Length: 1\r\ncontent-length: 2\r\n",
        b"Content-Length: 1, 1\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: +1\r\n",
        b"Content-Length: 1_0\r\n",
        b"Content-Length: 0x10\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: 10000000000\r\n",
        b"Content-Length: 1\r\n 5\r\n",
        b"Content-Length: 1\r\nX-Request-ID: a\r\nX-Request-ID: b\r\n",
        b"X-Fold: a\r\n\tb\r\nContent-Length: 1\r\n",
    ],
)
def test_heads_that_are_not_plain_are_left_to_the_front_process(lines: bytes) -> None:
    assert read_head(FIRST + lines + b"\r\n") is None
