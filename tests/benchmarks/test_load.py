"""The load generator against real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks.serving.http import Address, HTTPError, ask, read_head, request_bytes
from benchmarks.serving.load import LoadDuration, Stream, drive

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
PLAN = LoadDuration(seconds=0.2, warm_up=0.05, timeout=0.3)


@contextmanager
def serving(answer: Callable[[int], bytes | None]) -> Iterator[Address]:
    """Serve connections in threads; `answer` has the number of the request on its connection, None: say nothing."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            number = 0
            while (head := read_request(connection)) and (said := answer(number)) is not None:
                connection.sendall(said)
                number += 1
            while head and connection.recv(1 << 16):
                pass

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield Address(*listener.getsockname())
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # which ends the accept, too
        listener.close()


def read_request(connection: socket.socket) -> bool:
    """Read a whole request, whatever its size; False where the connection is closed."""
    data, expected = bytearray(), 0
    while not expected or len(data) < expected:
        try:
            block = connection.recv(1 << 16)
        except OSError:
            return False
        if not block:
            return False
        data += block
        if not expected and (end := data.find(b"\r\n\r\n")) > 0:
            expected = end + 4 + int(data.split(b"Content-Length: ")[1].split()[0])
    return True


def test_request_is_whole() -> None:
    assert request_bytes("POST", "/v1/predict", b"photo", {"Content-Type": "image/jpeg"}) == (
        b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Type: image/jpeg\r\n\r\nphoto"
    )


def test_head_is_read_once_it_has_come() -> None:
    answer = b"HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length:  3\r\n\r\nabc"
    assert read_head(answer[:40]) is None
    head = read_head(answer)
    assert head is not None
    assert (head.status, answer[head.begin : head.end], head.close) == (503, b"abc", True)
    nothing = b"HTTP/1.1 204 No Content\r\n\r\n"
    assert (head := read_head(nothing)) is not None
    assert (head.status, head.begin, head.end) == (204, len(nothing), len(nothing))


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
def test_answer_of_unknown_length_is_refused(answer: bytes) -> None:
    with pytest.raises(HTTPError):
        read_head(answer)


def test_every_client_keeps_its_connection_and_large_bodies_pass() -> None:
    requests = [request_bytes("POST", "/", b"x" * size) for size in (10, 3_000_000)]
    with serving(lambda number: OK) as address:
        outcome = drive(address, [Stream("small", 3, requests[:1]), Stream("large", 1, requests[1:])], PLAN)
        assert ask(address, requests[0], timeout=1.0) == (200, b"{}")
    for name in ("small", "large"):
        counts = outcome.streams[name]
        assert counts.answered > 0
        assert not counts.errors
        assert not counts.reconnects
    assert outcome.streams["large"].percentile(50) > outcome.streams["small"].percentile(50)
    assert 0 < outcome.own_seconds < PLAN.seconds


def test_refusals_are_counted_apart_and_not_repeated_at_once() -> None:
    refusal = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    with serving(lambda number: refusal) as address:
        counts = drive(address, [Stream("one", 1, [request_bytes("GET", "/")])], PLAN).streams["one"]
    assert counts.answered == 0
    assert 1 < counts.errors["503"] < 20


def test_answers_are_checked_with_the_number_of_their_request() -> None:
    def check(number: int, status: int, body: bytes) -> str:
        return "" if (number, status, body) == (1, 200, b"{}") else f"not {number}"

    requests = [request_bytes("GET", f"/{number}") for number in range(2)]
    with serving(lambda number: OK) as address:
        counts = drive(address, [Stream("one", 1, requests, check)], PLAN).streams["one"]
    assert counts.answered >= 1
    assert counts.errors.keys() == {"not 0"}
    assert counts.requests >= counts.answered + counts.errors.total()


def test_announced_close_is_no_error() -> None:
    last = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with serving(lambda number: last) as address:
        counts = drive(address, [Stream("one", 1, [request_bytes("GET", "/")])], PLAN).streams["one"]
    assert counts.reconnects >= counts.answered > 0
    assert not counts.errors


def test_silence_and_absence_are_errors() -> None:
    with serving(lambda number: None) as address:
        counts = drive(address, [Stream("one", 1, [request_bytes("GET", "/")])], PLAN).streams["one"]
    assert counts.errors["timeout"] == 1
    counts = drive(address, [Stream("one", 1, [request_bytes("GET", "/")])], PLAN).streams["one"]
    assert counts.errors["ConnectionRefusedError"] > 1
