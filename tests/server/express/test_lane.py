"""A worker's lane by itself: what it answers, and what it hands back with every byte."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from dermport.bundle.store import Bundle
from dermport.bundle.wire import ServedModel, ServedRuntime
from dermport.errors import PhotoError
from dermport.server.express import lane as module
from dermport.server.express import protocol
from dermport.server.express.lane import Lane
from dermport.server.express.permit import Permit, constant_fields
from dermport.server.serving.jobs import InferenceJob, InferenceResult

SAME = b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\n\r\n"
MODEL = ServedModel(
    name="tiny", version="1.0.0", sha256="0" * 64, artifact_sha256="1" * 64, target="fake", precision="fp32"
)
ANSWER = constant_fields("200 OK", [("Server", "dermport"), ("Content-Length", "1"), ("Date", "then")])


def _request(body: bytes, extra: bytes = b"") -> bytes:
    head, _, _ = SAME.rpartition(b"\r\n")
    return head + b"Content-Length: %d\r\n" % len(body) + extra + b"\r\n" + body


def _permit(seconds: float = 30.0) -> Permit:
    runtime = ServedRuntime(name="Fake 1.0", reason="a test").model_dump_json()
    return Permit(SAME, ANSWER, "photo", "exact", seconds, "", MODEL.model_dump_json(), runtime)


@dataclass
class _Front:
    """The front process's end of a lane, and what it has heard."""

    lane: socket.socket
    labels: int
    jobs: list[InferenceJob] = field(default_factory=list)
    kept: list[socket.socket] = field(default_factory=list)

    def answer(self, job: InferenceJob) -> InferenceResult:
        self.jobs.append(job)
        if job.data.startswith(b"damaged"):
            raise PhotoError("It is damaged.", code="photo-damaged")
        return InferenceResult((1.0, *(0.0,) * (self.labels - 1)), "2" * 64, 6, 4, 1, {"prepare": 1.0, "infer": 2.0})

    def lend(self, permit: Permit) -> socket.socket:
        """Lend one end of a connection; return the client's."""
        client, theirs = socket.socketpair()
        theirs.setblocking(False)
        client.settimeout(5)
        self.kept.append(theirs)  # as the front process does
        protocol.lend(self.lane, len(self.kept), permit.to_json(), theirs)
        return client

    def hear(self, kind: bytes) -> protocol.Said:
        """Return the next message, of that kind or records."""
        while True:
            said = protocol.hear(self.lane)
            assert said is not None
            if said.kind == kind or said.kind != protocol.ANSWERED:
                assert said.kind == kind
                return said


@pytest.fixture
def front(tiny_bundle: Bundle) -> Iterator[_Front]:
    ours, theirs = protocol.lane_pair()
    ours.settimeout(5)
    made = _Front(ours, len(tiny_bundle.manifest.task.ids))
    thread = threading.Thread(target=Lane(theirs, tiny_bundle.manifest, made.answer).run)
    thread.start()
    yield made
    ours.close()
    thread.join(5)
    assert not thread.is_alive()


def _answer(client: socket.socket) -> tuple[list[bytes], dict[str, object]]:
    received = b""
    while b"\r\n\r\n" not in received or not received.endswith(b"}"):
        received += client.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), json.loads(body)


def test_requests_are_answered_and_recorded(front: _Front, tiny_bundle: Bundle) -> None:
    client = front.lend(_permit())
    for number, body in enumerate((b"first", b"second")):
        client.sendall(_request(body, b"X-Request-ID: r%d\r\n" % number))
        lines, answer = _answer(client)
        assert lines[0] == b"HTTP/1.1 200 OK"
        names = [line.partition(b":")[0] for line in lines[1:]]
        assert names == [b"Server", b"Content-Length", b"Date", b"X-Request-Id"]
        assert answer["request_id"] == f"r{number}"
        assert answer["label"] == tiny_bundle.manifest.task.ids[0]
    assert [job.data for job in front.jobs] == [b"first", b"second"]
    records = json.loads(front.hear(protocol.ANSWERED).data)
    assert [(number, request_id, size) for number, request_id, size, _ in records][:1] == [(1, "r0", 5)]
    assert records[0][3]["infer"] == 2.0


def test_a_request_may_arrive_in_pieces(front: _Front) -> None:
    client = front.lend(_permit())
    for byte in _request(b"photo"):
        client.sendall(bytes([byte]))
    assert _answer(client)[1]["label"]
    assert front.jobs[0].data == b"photo"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        _request(b"photo", b"X-API-Key: another\r\n"),
        _request(b"x" * (module.MAX_BODY + 1)),
        _request(b""),
        _request(b"photo") + b"GET ",
        b"not HTTP at all\r\n\r\n",
        b"x" * (module.MAX_HEAD + 1),
    ],
    ids=["another address", "another key", "long", "empty", "pipelined", "no HTTP", "endless head"],
)
def test_what_the_permit_does_not_cover_is_handed_back_whole(front: _Front, sent: bytes) -> None:
    client = front.lend(_permit())
    client.sendall(sent[:100_000])
    received = front.hear(protocol.RECEIVED).data
    while (said := protocol.hear(front.lane)) is not None and said.kind != protocol.BACK:
        received += said.data
    assert sent.startswith(received)  # what was not read is still in the connection
    assert len(received) >= min(len(sent), 20)
    assert not front.jobs


def test_a_photo_that_is_refused_is_handed_back_for_the_front_process_to_refuse(front: _Front) -> None:
    client = front.lend(_permit())
    client.sendall(_request(b"damaged photo"))
    assert front.hear(protocol.RECEIVED).data == _request(b"damaged photo")
    assert front.hear(protocol.BACK).number == 1


def test_a_closed_connection_is_handed_back(front: _Front) -> None:
    front.lend(_permit()).shutdown(socket.SHUT_RDWR)
    assert front.hear(protocol.BACK).number == 1


def test_an_old_permit_is_none(front: _Front) -> None:
    client = front.lend(_permit(seconds=0.0))
    client.sendall(_request(b"photo"))
    while (said := protocol.hear(front.lane)) is not None and said.kind != protocol.BACK:
        assert said.data == _request(b"photo")
    assert not front.jobs


def test_an_idle_connection_is_handed_back_once_its_permit_ends(front: _Front) -> None:
    front.lend(_permit(seconds=0.1))
    assert front.hear(protocol.BACK).number == 1


def test_a_slow_sender_is_left_to_the_front_process(front: _Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLOW_SECONDS", 0.1)
    client = front.lend(_permit())
    client.sendall(_request(b"photo")[:-1])
    assert front.hear(protocol.RECEIVED).data == _request(b"photo")[:-1]
    assert front.hear(protocol.BACK).number == 1


def test_a_recall_brings_everything_back_and_ends_the_lane(front: _Front) -> None:
    clients = [front.lend(_permit()) for _ in range(3)]
    clients[1].sendall(_request(b"photo")[:30])
    time.sleep(0.1)
    front.lane.shutdown(socket.SHUT_WR)
    heard = []
    while (said := protocol.hear(front.lane)) is not None:
        heard.append(said)
    assert sorted(said.number for said in heard if said.kind == protocol.BACK) == [1, 2, 3]
    assert [said.data for said in heard if said.kind == protocol.RECEIVED] == [_request(b"photo")[:30]]


def _fill(connection: socket.socket) -> None:
    with suppress(BlockingIOError):
        while True:
            connection.send(bytes(4096))


def test_what_a_client_does_not_take_is_handed_back_unsent(front: _Front) -> None:
    client = front.lend(_permit())
    _fill(front.kept[0])  # the client has not read yet what it was answered before
    client.sendall(_request(b"photo"))
    unsent = front.hear(protocol.UNSENT).data
    assert unsent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert unsent.endswith(b"}")
    assert front.hear(protocol.BACK).number == 1
