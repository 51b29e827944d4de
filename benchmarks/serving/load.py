"""The load generator: clients in a closed loop, each on a connection of its own, all in one thread.

It sends requests that were built beforehand and reads of an answer no more than status and length, as it takes its
time from the cores that the server works on.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.serving.http import Address, HTTPError, ResponseHead, read_head

_REST = 0.05  # seconds that a client rests after an error, lest a refusing server be asked without pause
_TICK = 0.05
_READ, _BOTH = selectors.EVENT_READ, selectors.EVENT_READ | selectors.EVENT_WRITE
_BLOCK = 1 << 16
_GOOD = (200, 201)


@dataclass(frozen=True)
class Stream:
    """Clients that do the same: each sends a request, waits for its answer, then sends the next.

    Attributes:
        name: What is told of them is told under this name.
        clients: How many.
        requests: Sent in turn; each client begins with another one.
        check: Called with the number of the request, the status and the body; returns what is wrong, or nothing.
            Without it, statuses 200 and 201 are right, and bodies are not looked at.
    """

    name: str
    clients: int
    requests: Sequence[bytes]
    check: Callable[[int, int, bytes], str] | None = None


@dataclass(frozen=True)
class LoadDuration:
    """How long, in seconds: what begins in `warm_up` is not counted, what begins in `seconds` after that is."""

    seconds: float
    warm_up: float
    timeout: float = 60.0


@dataclass
class RequestCounts:
    """What the clients of a stream saw.

    Attributes:
        latencies: Seconds from the first byte sent to the last received, of requests that began in time.
        answered: Right answers that arrived in time.
        errors: By kind: a status, what a check said, or what befell the connection; those of the warm-up too.
        requests: All that were sent, in the warm-up and after the end too.
        reconnects: Connections that the server closed after an answer, as it had announced.
    """

    latencies: list[float] = field(default_factory=list)
    answered: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    reconnects: int = 0

    def percentile(self, percent: float) -> float:
        """Return a percentile of the latencies in seconds; not a number where there are none."""
        return float(np.percentile(self.latencies, percent)) if self.latencies else float("nan")


@dataclass(frozen=True)
class LoadResult:
    """What was measured.

    Attributes:
        seconds: How long answers were counted.
        streams: What each stream's clients saw, by its name.
        own_seconds: CPU time that the load generator itself took in these seconds.
    """

    seconds: float
    streams: dict[str, RequestCounts]
    own_seconds: float

    @property
    def own_microseconds(self) -> float:
        """The load generator's CPU time for one request, refused ones too, in microseconds."""
        requests = sum(counts.answered + counts.errors.total() for counts in self.streams.values())
        return 1e6 * self.own_seconds / max(1, requests)


def drive(address: Address, streams: Sequence[Stream], plan: LoadDuration) -> LoadResult:
    """Load a server and return what its clients saw, once the last answer has come."""
    return _Load(address, streams, plan).run()


class _Client:
    """One connection: at most one request is under way."""

    def __init__(
        self, address: Address, selector: selectors.BaseSelector, stream: Stream, number: int, counts: RequestCounts
    ) -> None:
        self._address = address
        self._selector = selector
        self._stream = stream
        self._number = number * 7 - 1  # of the last request; each client begins with another one
        self.counts = counts
        self._socket: socket.socket | None = None
        self._unsent = memoryview(b"")
        self._blocked = False
        self._answer = bytearray()
        self.busy = False
        self.since = 0.0

    def send(self, now: float) -> None:
        """Begin the next request; OSError where the server does not take it."""
        self.busy, self.since = True, now
        self.counts.requests += 1
        self._number = (self._number + 1) % len(self._stream.requests)
        self._unsent, self._answer = memoryview(self._stream.requests[self._number]), bytearray()
        if self._socket is None:
            self._socket = self._address.connect(5.0)
            self._socket.setblocking(False)
            self._selector.register(self._socket, _READ, self)
            self._blocked = False
        self._write()

    def proceed(self, events: int) -> ResponseHead | None:
        """Write and read what can be; return the head of the answer once that is whole.

        Raises:
            OSError: The connection broke.
            HTTPError: What came is no answer.
        """
        if events & selectors.EVENT_WRITE:
            self._write()
        return self._read() if events & selectors.EVENT_READ else None

    def complaint(self, head: ResponseHead) -> str:
        """Return what is wrong with the answer that has come; nothing where it is right."""
        if self._stream.check is None:
            return "" if head.status in _GOOD else str(head.status)
        return self._stream.check(self._number, head.status, bytes(self._answer[head.begin : head.end]))

    def close(self) -> None:
        """Give the connection up, and what is under way with it."""
        self.busy = False
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def _write(self) -> None:
        assert self._socket is not None
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        if bool(self._unsent) != self._blocked:
            self._blocked = bool(self._unsent)
            self._selector.modify(self._socket, _BOTH if self._blocked else _READ, self)

    def _read(self) -> ResponseHead | None:
        assert self._socket is not None
        block = self._socket.recv(_BLOCK)
        if not block:
            raise ConnectionResetError("closed by the server")
        self._answer += block
        head = read_head(self._answer)
        if head is None or len(self._answer) < head.end:
            return None
        self.busy = False
        return head


class _Load:
    """One run of :func:`drive`."""

    def __init__(self, address: Address, streams: Sequence[Stream], plan: LoadDuration) -> None:
        self._plan = plan
        self._selector = selectors.DefaultSelector()
        self._counts = {stream.name: RequestCounts() for stream in streams}
        self._clients = [
            _Client(address, self._selector, stream, number, self._counts[stream.name])
            for stream in streams
            for number in range(stream.clients)
        ]
        self._resting: dict[_Client, float] = {}
        self._begin = time.perf_counter() + plan.warm_up
        self._end = self._begin + plan.seconds

    def run(self) -> LoadResult:
        own: list[float] = []  # CPU time at the beginning and at the end of the counted seconds
        try:
            for client in self._clients:
                self._send(client)
            tick = 0.0
            while (now := time.perf_counter()) < self._end or any(client.busy for client in self._clients):
                for key, events in self._selector.select(_TICK):
                    self._proceed(key.data, events)
                if now >= tick:
                    tick = now + _TICK
                    self._look_after(now)
                if len(own) < 2 and now >= (self._begin, self._end)[len(own)]:
                    own.append(time.thread_time())
        finally:
            for client in self._clients:
                client.close()
            self._selector.close()
        own += [time.thread_time()] * (2 - len(own))
        return LoadResult(self._plan.seconds, self._counts, own[1] - own[0])

    def _send(self, client: _Client) -> None:
        try:
            client.send(time.perf_counter())
        except OSError as error:
            self._fail(client, type(error).__name__)

    def _proceed(self, client: _Client, events: int) -> None:
        try:
            head = client.proceed(events)
        except BlockingIOError:
            return
        except (OSError, HTTPError) as error:
            self._fail(client, type(error).__name__)
            return
        if head is not None:
            self._answered(client, head)

    def _answered(self, client: _Client, head: ResponseHead) -> None:
        now, counts = time.perf_counter(), client.counts
        if head.close:
            counts.reconnects += 1
            client.close()
        if complaint := client.complaint(head):
            counts.errors[complaint] += 1
            self._resting[client] = now + _REST
            return
        counts.answered += self._begin <= now < self._end
        if self._begin <= client.since < self._end:
            counts.latencies.append(now - client.since)
        if now < self._end:
            self._send(client)

    def _fail(self, client: _Client, kind: str) -> None:
        client.counts.errors[kind] += 1
        client.close()
        self._resting[client] = time.perf_counter() + _REST

    def _look_after(self, now: float) -> None:
        """Wake those that have rested, and give up what takes too long."""
        for client in [client for client, until in self._resting.items() if now >= until]:
            del self._resting[client]
            if now < self._end:
                self._send(client)
        for client in self._clients:
            if client.busy and now - client.since > self._plan.timeout:
                self._fail(client, "timeout")
