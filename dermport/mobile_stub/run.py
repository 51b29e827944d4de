"""A comparison over many photos: several at a time, resumed where it was stopped, queued where no Jetson answers."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import Prepared, prepare
from dermport.bundle.wire import ComparisonRequest
from dermport.errors import PhotoError, RequestError, ServerError, UnreachableError
from dermport.mobile_stub.jetson import Jetson
from dermport.mobile_stub.journal import Journal, PhoneEntry
from dermport.mobile_stub.phone import TARGET, PhoneModel
from dermport.mobile_stub.photos import Photo, path_of, text_of
from dermport.mobile_stub.prediction import Prediction, Refusal
from dermport.progress import Update

APP = "dermport-compare/1"
LOOK_AGAIN = 20.0
"""Seconds after which a Jetson that did not answer is asked again."""


@dataclass
class Tally:
    """What a run did; of all threads.

    Attributes:
        known: Photos (times artifacts) that an earlier run had finished.
        twice: Those that are a photo of this run once more, byte for byte.
        answered: Those that the server answered in this one.
        waiting: Those that are still to be posted.
        trouble: Why, in the server's or the network's words.
    """

    known: int = 0
    twice: int = 0
    answered: int = 0
    waiting: int = 0
    trouble: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, name: str, trouble: str = "") -> None:
        """Count one more of `name`."""
        with self.lock:
            setattr(self, name, getattr(self, name) + 1)
            self.trouble = trouble or self.trouble


class ComparisonRun:
    """One run over photos and artifacts.

    Args:
        phones: What the phone runs, opened.
        preprocessing: The bundle's.
        jetson: The server.
        journal: Where both sides are kept.
        jobs: Photos at a time.
        maps: Whether the phone's class activation maps are kept, too.
        stop: Set where the run is to end after the photos that are at work.
        now: A clock in seconds.

    Attributes:
        hashes: sha256 of each photo that was read, by its path.
    """

    def __init__(
        self,
        phones: Sequence[PhoneModel],
        preprocessing: Preprocessing,
        jetson: Jetson,
        journal: Journal,
        *,
        jobs: int = 1,
        maps: bool = False,
        stop: threading.Event | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._phones, self._preprocessing = phones, preprocessing
        self._jetson, self._journal = jetson, journal
        self._jobs, self._stop, self._now = max(1, jobs), stop or threading.Event(), now
        self._maps, self._lost_until = maps, 0.0
        self.hashes: dict[Path, str] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._met: set[str] = set()
        self._queues = journal.path is not None

    def meet(self) -> str:
        """See whether the Jetson answers; return in words why not, where the journal can queue.

        Raises:
            ServerError: It is not ready.
            UnreachableError: It does not answer, and nothing can be queued.
        """
        try:
            self._jetson.meet()
        except UnreachableError as error:
            if not self._queues:
                raise
            self._lost_until = self._now() + LOOK_AGAIN
            return error.message
        return ""

    def over(self, photos: Sequence[Photo], update: Update | None = None) -> Tally:
        """Have both sides answer every photo for every artifact.

        Raises:
            KeyboardInterrupt: The run was interrupted; what was at work is finished and kept.
            RequestError: The server refuses the key.
            ServerError: The server stops answering and nothing can be queued, or it knows other labels.
            UsageError: A photo cannot be read from disk.
        """
        return self._each([partial(self._photo, photo) for photo in photos], update)

    def flush(self, update: Update | None = None) -> Tally:
        """Post what is waiting in the journal, and nothing else; raises as :meth:`over`."""
        self._lost_until = 0.0
        waiting = self._journal.waiting()
        return self._each([partial(self._again, asked) for asked in waiting], update)

    def _each(self, works: Sequence[Callable[[Tally], None]], update: Update | None) -> Tally:
        tally = Tally()
        with ThreadPoolExecutor(self._jobs) as threads:
            open_works = {threads.submit(self._unless_stopped, work, tally) for work in works}
            try:
                while open_works:
                    finished, open_works = wait(open_works, timeout=0.5, return_when=FIRST_EXCEPTION)
                    for one in finished:
                        one.result()
                    if update is not None:
                        update(len(works) - len(open_works), len(works))
            except BaseException:
                self._stop.set()  # threads that wait for a busy server end at once
                threads.shutdown(wait=True, cancel_futures=True)
                raise
        return tally

    def _unless_stopped(self, work: Callable[[Tally], None], tally: Tally) -> None:
        if not self._stop.is_set():
            work(tally)

    def _photo(self, photo: Photo, tally: Tally) -> None:
        data = photo.read()
        sha256 = self.hashes[photo.path] = sha256_bytes(data)
        with self._locks.setdefault(sha256, threading.Lock()):  # a photo that is there twice is posted once
            self._ask_all(photo, data, sha256, tally)
            self._met.add(sha256)

    def _ask_all(self, photo: Photo, data: bytes, sha256: str, tally: Tally) -> None:
        prepared: tuple[Prepared, float] | Refusal | None = None
        for phone in self._phones:
            known = self._journal.find(sha256, phone.artifact.sha256, self._jetson.served)
            if known is not None and known[1] is not None:
                tally.count("twice" if sha256 in self._met else "known")
                continue
            if known is None:
                prepared = prepared or self._prepare(data)
                asked = self._ask(photo, sha256, phone, prepared)
                self._journal.write(asked)
            else:
                asked = known[0]
            self._post(asked, data, tally)

    def _again(self, asked: PhoneEntry, tally: Tally) -> None:
        path = path_of(asked.path)
        try:
            data = path.read_bytes()
        except OSError as error:
            return tally.count("waiting", f"{asked.path} cannot be read: {error.strerror}.")
        if sha256_bytes(data) != asked.photo_sha256:
            return tally.count("waiting", f"{asked.path} is another photo than the phone was asked about.")
        return self._post(asked, data, tally)

    def _post(self, asked: PhoneEntry, data: bytes, tally: Tally) -> None:
        if self._now() < self._lost_until:
            return tally.count("waiting")
        try:
            answered = self._jetson.answer(asked, data)
        except UnreachableError as error:
            if not self._queues and not self._stop.is_set():
                raise
            self._lost_until = self._now() + LOOK_AGAIN
            return tally.count("waiting", error.message)
        except RequestError as error:
            if error.status < 500 or not self._queues:
                raise _as_server_error(error) from error
            return tally.count("waiting", error.message)
        self._journal.write(answered)
        return tally.count("answered")

    def _prepare(self, data: bytes) -> tuple[Prepared, float] | Refusal:
        start = time.perf_counter()
        try:
            prepared = prepare(data, self._preprocessing)
        except PhotoError as error:
            return Refusal(code=error.code, message=error.message)
        return prepared, 1000 * (time.perf_counter() - start)

    def _ask(
        self, photo: Photo, sha256: str, phone: PhoneModel, prepared: tuple[Prepared, float] | Refusal
    ) -> PhoneEntry:
        side = prepared if isinstance(prepared, Refusal) else phone.predict(*prepared, maps=self._maps)
        return PhoneEntry(
            id=str(uuid.uuid4()),
            photo=photo.name,
            path=text_of(photo.path.resolve()),
            photo_sha256=sha256,
            artifact_sha256=phone.artifact.sha256,
            phone=side,
            said=_said(side, sha256, phone) if isinstance(side, Prediction) else None,
            send=self._jetson.send,
        )


def _as_server_error(error: RequestError) -> ServerError:
    return ServerError(f"The server refuses: {error.message}", remedy=error.remedy)


def _said(side: Prediction, photo_sha256: str, phone: PhoneModel) -> ComparisonRequest:
    """Return what is posted; nothing in it names the photo, the phone or its owner."""
    return ComparisonRequest(
        probabilities=side.probabilities,
        input_sha256=side.input_sha256,
        photo_sha256=photo_sha256,
        artifact_sha256=side.artifact_sha256,
        model_sha256=side.model_sha256,
        target=TARGET,
        precision=phone.artifact.precision,
        runtime=side.runtime,
        cannot_tell=side.withheld,
        app_version=APP,
        asked=datetime.now(timezone.utc),
    )
