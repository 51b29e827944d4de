"""What connections may take of one worker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ConnectionBounds:
    """What connections may take of one worker.

    Attributes:
        head_seconds: How long a request's head may take, from its first byte or from the connection's beginning.
        idle_seconds: How long a connection may wait for its next request.
        body_seconds: How long a body may take: a photo of 3 MB at 0.5 Mbit/s takes 50 s.
        turn_seconds: How long a request may wait until its body may come.
        slow_body_seconds: After so many seconds below `rate`, a body is given up;
        slow_answer_seconds: an answer that is not read.
        rate: Bytes a second that a client moves at least.
        leave_seconds: How long a client may take to read a refusal while it still sends.
        connections: All of them.
        per_address: Those of one address, or of one IPv6 network of 64 bits.
        bodies: Bodies of one address that threads wait for at the same time.
        accept_pause: Seconds without accepting after the system had no descriptor left.
    """

    head_seconds: float = 10.0
    idle_seconds: float = 75.0
    body_seconds: float = 60.0
    turn_seconds: float = 10.0
    slow_body_seconds: float = 10.0
    slow_answer_seconds: float = 30.0
    rate: int = 1024
    leave_seconds: float = 10.0
    connections: int = 1024
    per_address: int = 256
    bodies: int = 16
    accept_pause: float = 1.0
