"""Comparisons from end to end: judged, kept, read again, and deleted when their time is over."""

from __future__ import annotations

import base64
import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from dermport.bundle.wire import ComparisonAnswer, ComparisonSummary, DriftAnswer
from dermport.errors import RequestError, StorageError
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.comparing.case import Case, ModelSource, Sent
from dermport.server.comparing.drift import drift_states
from dermport.server.comparing.judge import Judgement, judge
from dermport.server.comparing.likeness import Tensor
from dermport.server.comparing.photos import KeptPhotos
from dermport.server.comparing.picture import difference_png
from dermport.server.comparing.summary import summarise
from dermport.server.storage.base import utc_now
from dermport.server.storage.comparisons import BATCH, ComparisonStore, Filters, no_such_comparison

_LOG = logging.getLogger("dermport.comparing")
_INPUTS_REMEMBERED = 2048
_ORPHAN_AGE = timedelta(hours=1)
Listener = Callable[[ComparisonAnswer], None]
_Tensors = tuple["Tensor | None", "Tensor | None"]


@dataclass(frozen=True)
class Keeping:
    """What is kept, and for how long.

    Attributes:
        photos: Whether the photos are.
        days: Age after which :meth:`ComparisonService.purge` deletes; None keeps everything.
    """

    photos: bool = False
    days: int | None = None


class RecentInputs:
    """Remembers the sha256 of the inputs that came last, for any number of threads; nothing is written anywhere.

    A phone that answers an earlier photo is known by them.

    Args:
        most: How many.
    """

    def __init__(self, most: int = _INPUTS_REMEMBERED) -> None:
        self._most, self._lock = most, threading.Lock()
        self._known: OrderedDict[str, None] = OrderedDict()

    def add(self, sha256: str) -> None:
        """Remember one; the oldest one is forgotten for it."""
        with self._lock:
            self._known[sha256] = None
            self._known.move_to_end(sha256)
            if len(self._known) > self._most:
                self._known.popitem(last=False)

    def __contains__(self, sha256: object) -> bool:
        with self._lock:
            return sha256 in self._known


class ComparisonService:
    """Judges and keeps comparisons, for any number of threads.

    Args:
        models: The models.
        store: Where comparisons are kept.
        runner: Runs phones' files.
        photos: Where photos are kept.
        keeping: What is kept.
        listeners: Told of each comparison once it is stored; what they raise is logged and changes nothing.
        now: The time, aware.
        believes: Whether comparisons may be deleted by a clock that shows its first argument; the second is the time of
            the newest one.

    Attributes:
        store: Where comparisons are kept.
    """

    def __init__(
        self,
        models: ModelSource,
        store: ComparisonStore,
        runner: ArtifactRunner,
        photos: KeptPhotos,
        *,
        keeping: Keeping = Keeping(),
        listeners: Sequence[Listener] = (),
        now: Callable[[], datetime] = utc_now,
        believes: Callable[[datetime, datetime | None], bool] = lambda now, newest: True,
    ) -> None:
        self._models, self.store, self._runner, self._photos = models, store, runner, photos
        self._keeping, self._listeners, self._now, self._believes = keeping, tuple(listeners), now, believes
        self._came = RecentInputs()

    def compare(
        self, sent: Sent, key: str | None, request_id: str, picture: bool = False
    ) -> tuple[ComparisonAnswer, bool]:
        """Judge and store what a phone sent; return it, and whether it is new: a key's second request gets the first's.

        Once this returns, the comparison is on the disk.

        Args:
            sent: What the phone sent.
            key: What the request is known by when it is sent again.
            request_id: The request's id.
            picture: Whether the answer is to bring the picture of the difference, which is not stored with it. To a
                request sent again, it does where photos are kept.

        Raises:
            PhotoError: What was sent is refused.
            RequestError: 422, the key was used for another comparison, or other labels; 503 "overloaded".
            StorageError: Nothing was stored then.
            UnavailableError: The live model is not proved.
        """
        if key is not None and (earlier := self.store.earlier(key, sent.fingerprint)):
            return self._again(earlier, picture), False
        with self._models.lease() as live:
            with live.turn(sent.job):
                case = Case(sent, live, self._models.bundles(), self._runner)
                judged = judge(case, self._runner, self._came)
                pixels = case.tensor if self._keeping.photos or judged.tensor is not None else None
            answer = self._answer(judged, request_id)
        if self._store(answer, sent, key, (pixels, judged.tensor)):
            self._came.add(case.inputs.server)
            self._tell(answer)
            return _with_picture(answer, (judged.tensor, pixels) if picture else None), True
        if key is not None and (earlier := self.store.earlier(key, sent.fingerprint)):
            return self._again(earlier, picture), False  # the same request, sent twice at once
        raise StorageError("A comparison was stored and deleted at the same moment.", reason="failed")

    def picture(self, comparison_id: str) -> bytes:
        """Return the picture of a comparison's two tensors, a PNG.

        Raises:
            RequestError: 404, there is no such comparison, or its tensors are equal, not known or not kept.
            StorageError: It cannot be read.
        """
        self.store.get(comparison_id)
        if (tensors := self._photos.read(comparison_id)) is None:
            raise RequestError(
                "There is no picture of this comparison's difference.",
                code="no-difference-picture",
                status=404,
                remedy="It needs two tensors that differ, both known, and a server that keeps photos (--keep-photos); "
                "without that, POST /v1/comparisons?difference=true brings the picture in its answer.",
            )
        return difference_png(*tensors)

    def summary(self, filters: Filters) -> ComparisonSummary:
        """Return figures of the comparisons that `filters` name."""
        return summarise(self.store.database, filters)

    def drift(self) -> DriftAnswer:
        """Return how the files that phones run stand against the drift policy."""
        return drift_states(self.store, self._runner)

    def delete(self, comparison_id: str) -> None:
        """Delete a comparison and its photo; RequestError 404 where there is none."""
        self._photos.remove(comparison_id)  # first: were it last, a kill in between would leave it behind
        if not self.store.delete((comparison_id,)):
            raise no_such_comparison()

    def purge(self, now: datetime) -> int:
        """Delete what is older than its time, and photos that no comparison has; return how many comparisons went.

        Any number of processes may do so at once.

        Raises:
            StorageError: Not all could be deleted.
        """
        gone = 0
        if self._keeping.days is not None and self._believes(now, self.store.newest()):
            before = now - timedelta(days=self._keeping.days)
            while ids := self.store.ids_before(before):
                for comparison_id in ids:
                    self._photos.remove(comparison_id)
                gone += self.store.delete(ids)
        self._remove_orphans(now)
        return gone

    def close(self) -> None:
        """Free the phones' files."""
        self._runner.close()

    def _answer(self, judged: Judgement, request_id: str) -> ComparisonAnswer:
        return ComparisonAnswer(
            id=uuid.uuid4().hex,
            created=self._now(),
            verdict=judged.verdict,
            steps=judged.steps,
            evidence=judged.experiments,
            decomposition=judged.decomposition,
            faults=judged.faults,
            input_difference=judged.input_difference,
            missing=judged.missing,
            phone=judged.phone,
            server=judged.server,
            photo_kept=self._keeping.photos,
            request_id=request_id,
        )

    def _again(self, answer: ComparisonAnswer, picture: bool) -> ComparisonAnswer:
        return _with_picture(answer, self._photos.read(answer.id) if picture else None)

    def _store(self, answer: ComparisonAnswer, sent: Sent, key: str | None, tensors: _Tensors) -> bool:
        """Store a comparison, with its tensors (server's, phone's) where photos are kept; nothing where that fails."""
        server, phone = tensors
        if not self._keeping.photos or server is None:
            return self.store.add(answer, sent.fingerprint, key, sent.sender)
        stored = False
        try:
            self._photos.write(answer.id, server, phone)
            stored = self.store.add(answer, sent.fingerprint, key, sent.sender)
        finally:
            if not stored:
                self._photos.remove(answer.id)
        return stored

    def _tell(self, answer: ComparisonAnswer) -> None:
        for listener in self._listeners:
            try:
                listener(answer)
            except Exception:  # the comparison is stored and must be acknowledged, whatever others make of it
                _LOG.exception("a listener failed on comparison %s", answer.id)

    def _remove_orphans(self, now: datetime) -> None:
        """Delete photos whose comparison was never stored, or was deleted, when the server was killed."""
        files = self._photos.files(before=now - _ORPHAN_AGE)  # one that is being stored now is in the table later
        while batch := tuple(islice(files, BATCH)):
            kept = self.store.known(tuple({comparison_id for comparison_id, _ in batch}))
            for comparison_id, path in batch:
                if comparison_id not in kept:
                    path.unlink(missing_ok=True)


def _with_picture(answer: ComparisonAnswer, tensors: _Tensors | None) -> ComparisonAnswer:
    """Return the answer with a picture of its tensors (phone's, server's), where both are there."""
    phone, server = tensors or (None, None)
    if phone is None or server is None:
        return answer
    return answer.model_copy(update={"difference_png": base64.b64encode(difference_png(phone, server)).decode()})
