"""The worker's end of the express lane: it answers what its lent connections ask, one photo after the other."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from email.utils import formatdate

from dermport.bundle.manifest import Manifest
from dermport.bundle.wire import REQUEST_ID_HEADER, ServedModel, ServedRuntime
from dermport.errors import PhotoError
from dermport.server.express import protocol
from dermport.server.express.heads import END, Head, read_head
from dermport.server.express.permit import Permit
from dermport.server.request_ids import request_id_of
from dermport.server.serving.answers import Served, prediction
from dermport.server.serving.jobs import InferenceJob, InferenceResult
from dermport.server.stages import StageClock

MAX_HEAD = 32 * 1024
# A longer body may take long to arrive, and its photo long to decode: the front process has queues for that.
MAX_BODY = 512 * 1024
_BLOCK = 256 * 1024
# A request that is not complete after so long is left to the front process, which has patience and a limit to it.
_SLOW_SECONDS = 2.0
_TICK = 0.25
_RECORDS = 64


class _Borrowed:
    """A lent connection.

    Attributes:
        number: What the front process calls it.
        until: When the permit ends, seconds of ``time.monotonic``.
        parts: What was read of the next request; a photo mostly comes in one part, which is then never copied.
        size: Bytes that were read of it.
        end: Bytes that it has; 0 as long as its head has not arrived.
    """

    def __init__(self, number: int, permit: Permit, connection: socket.socket) -> None:
        self.number = number
        self.permit = permit
        self.socket = connection
        self.until = time.monotonic() + permit.seconds
        self.model = ServedModel.model_validate_json(permit.model)
        self.runtime = ServedRuntime.model_validate_json(permit.runtime)
        self.forget()

    def forget(self) -> None:
        """Begin with the next request."""
        self.parts: list[bytes] = []
        self.size = 0
        self.end = 0
        self.head: Head | None = None
        self.clock: StageClock | None = None
        self.since = 0.0

    def is_stale(self, now: float) -> bool:
        """Whether the front process should have the connection back, unless it is about to be answered."""
        return now > self.until if not self.size else now - self.since > _SLOW_SECONDS

    def add(self, data: bytes) -> None:
        """Take in what was read."""
        if not self.size:
            self.since, self.clock = time.monotonic(), StageClock()
        self.parts.append(data)
        self.size += len(data)

    def whole(self) -> bytes:
        """Return what was read of the next request."""
        if len(self.parts) != 1:
            self.parts = [b"".join(self.parts)]
        return self.parts[0]


class Lane:
    """Answers lent connections until they are recalled.

    Args:
        front: The lane to the front process.
        manifest: The bundle's.
        answer: Has the model answer a photo, without "wait" among its milliseconds; PhotoError where it is refused, or
            too large to be answered here.
    """

    def __init__(
        self, front: socket.socket, manifest: Manifest, answer: Callable[[InferenceJob], InferenceResult]
    ) -> None:
        self._front = front
        self._manifest = manifest
        self._answer = answer
        self._selector = selectors.DefaultSelector()
        self._selector.register(front, selectors.EVENT_READ, None)
        self._borrowed: dict[int, _Borrowed] = {}
        self._ready: deque[_Borrowed] = deque()
        self._records: list[tuple[int, str, int, dict[str, float]]] = []
        self._tick = 0.0
        self._recalled = False

    def run(self) -> None:
        """Answer until the front process recalls all connections, or is gone."""
        try:
            while not self._recalled:
                self._turn()
            for one in tuple(self._borrowed.values()):
                self._give_back(one)
            self._tell()
        except (BrokenPipeError, ConnectionResetError):  # the front process is gone, and with it all connections
            pass
        finally:
            self._selector.close()
            self._front.close()

    def _turn(self) -> None:
        for key, _ in self._selector.select(0 if self._ready else _TICK):
            if key.data is None:
                self._borrow()
            else:
                self._read(key.data)
        if self._ready:
            self._answer_one(self._ready.popleft())
        if (now := time.monotonic()) >= self._tick:
            self._tick = now + _TICK
            self._look_after(now)

    def _borrow(self) -> None:
        lent = protocol.borrow(self._front)
        if lent is None:
            self._recalled = True
            return
        number, permit, connection = lent
        self._borrowed[number] = one = _Borrowed(number, Permit.from_json(permit), connection)
        self._selector.register(connection, selectors.EVENT_READ, one)

    def _read(self, one: _Borrowed) -> None:
        try:
            data = one.socket.recv(_BLOCK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        one.add(data)
        if not data or not self._is_expected(one):
            self._give_back(one)
        elif one.size == one.end:
            assert one.clock is not None
            one.clock.mark("receive")
            self._ready.append(one)

    @staticmethod
    def _is_expected(one: _Borrowed) -> bool:
        """Whether what was read may be the beginning of a request that the permit covers, and no more than that."""
        if not one.end:
            read = one.whole()
            at = read.find(END)
            if at < 0:
                return one.size <= MAX_HEAD
            at += len(END)
            head = one.head = read_head(read[:at])
            if head is None or head.same != one.permit.same or not 0 < head.length <= MAX_BODY or one.since > one.until:
                return False
            one.end = at + head.length
        return one.size <= one.end

    def _answer_one(self, one: _Borrowed) -> None:
        if self._borrowed.get(one.number) is not one:
            return
        assert one.head is not None
        assert one.clock is not None
        one.clock.mark("wait")
        photo = one.whole()[one.end - one.head.length :]
        job = InferenceJob(photo, one.permit.form, one.permit.decoding)
        try:
            done = self._answer(job)
        except PhotoError:  # the front process has the words for it, or the time
            self._give_back(one)
            return
        request_id = request_id_of(one.head.request_id)
        served = Served(self._manifest, one.model, one.runtime)
        answer = prediction(served, job, done, one.clock, request_id)
        self._records.append((one.number, request_id, one.head.length, answer.milliseconds.model_dump()))
        self._send(one, request_id, answer.model_dump_json(by_alias=True).encode())

    def _send(self, one: _Borrowed, request_id: str, body: bytes) -> None:
        now = formatdate(usegmt=True)
        varying = f"Content-Length: {len(body)}\r\nDate: {now}\r\n{REQUEST_ID_HEADER}: {request_id}\r\n\r\n"
        answer = one.permit.answer + varying.encode() + body
        one.forget()
        try:
            sent = one.socket.send(answer)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(answer)  # the client is gone
            self._give_back(one)
        if sent < len(answer):
            protocol.say(self._front, protocol.UNSENT, one.number, answer[sent:])
            self._give_back(one)

    def _give_back(self, one: _Borrowed) -> None:
        del self._borrowed[one.number]
        self._selector.unregister(one.socket)
        one.socket.close()
        self._tell()  # before its number may be another's
        if one.size:
            protocol.say(self._front, protocol.RECEIVED, one.number, one.whole())
        protocol.say(self._front, protocol.BACK, one.number)

    def _look_after(self, now: float) -> None:
        waiting = set(self._ready)
        for one in tuple(self._borrowed.values()):
            if one not in waiting and one.is_stale(now):
                self._give_back(one)
        self._tell()

    def _tell(self) -> None:
        """Tell the front process, which logs and counts, what was answered."""
        for begin in range(0, len(self._records), _RECORDS):
            protocol.say(
                self._front, protocol.ANSWERED, 0, json.dumps(self._records[begin : begin + _RECORDS]).encode()
            )
        self._records.clear()
