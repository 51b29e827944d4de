"""Asking again where a server has no time: exponential back-off that honours Retry-After, shared by all threads.

Own code: a wait of `stamina` cannot be ended by the run that is stopped, and one thread's Retry-After holds up no
other.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dermport.errors import RequestError, UnreachableError

BUSY = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may be taken later."""
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Patience:
    """How long to go on asking.

    Attributes:
        tries: Attempts in all where the server is busy.
        lost_tries: Attempts in all where it does not answer.
        first: Seconds before the second attempt, at most; each later wait may be twice as long.
        longest: Seconds that no wait exceeds, unless the server asks for more.
        bearable: Seconds of Retry-After that are waited for; after more, the server counts as unreachable.
    """

    tries: int = 8
    lost_tries: int = 2
    first: float = 0.5
    longest: float = 20.0
    bearable: float = 120.0


class Backoff:
    """Asks until there is an answer.

    Waits are drawn at random below their bound ("full jitter"), so that many phones do not come back at the same
    moment; a Retry-After holds up every thread.

    Args:
        patience: How long to go on.
        wait: Waits some seconds; True means that the run was stopped.
        now: A clock in seconds.
        draw: Draws from 0..1.
    """

    def __init__(
        self,
        patience: Patience = Patience(),
        wait: Callable[[float], bool] | None = None,
        now: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._patience, self._now, self._draw = patience, now, draw
        self._wait = wait or threading.Event().wait
        self._not_before = 0.0

    def ask(self, question: Callable[[], _Answer]) -> _Answer:
        """Return the answer to a question.

        Raises:
            RequestError: The server refuses, for another reason than having no time.
            UnreachableError: It has no time, or does not answer, again and again; or the run was stopped.
        """
        busy = lost = 0
        while True:
            self._hold()
            try:
                return question()
            except RequestError as error:
                if error.status not in BUSY:
                    raise
                busy += 1
                if busy >= self._patience.tries or (error.retry_after or 0) > self._patience.bearable:
                    raise UnreachableError(f"The server has no time: {error.message}", remedy=error.remedy) from error
                self._delay(busy, error.retry_after or 0.0)
            except UnreachableError:
                lost += 1
                if lost >= self._patience.lost_tries:
                    raise
                self._delay(lost, 0.0)

    def _delay(self, failures: int, asked: float) -> None:
        bound = min(self._patience.longest, self._patience.first * 2 ** (failures - 1))
        if asked:
            self._not_before = max(self._not_before, self._now() + asked)
        self._pause(bound * self._draw())

    def _hold(self) -> None:
        """Wait until the time that the server has asked for, whoever it told."""
        while (left := self._not_before - self._now()) > 0:
            self._pause(left)

    def _pause(self, seconds: float) -> None:
        if self._wait(seconds):
            raise UnreachableError("The run was stopped.")
