"""Comparisons from end to end: judged, kept, read again, and deleted when their time is over."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from bundle.wire import ComparisonAnswer, ComparisonSummary, DriftAnswer
from server.comparing.artifacts import ArtifactRunner
from server.comparing.case import Case, ModelSource, Sent
from server.comparing.judge import Judgement, judge
from server.comparing.photos import KeptPhotos
from server.comparing.standing import standing
from server.comparing.summary import summarise
from server.storage.comparisons import BATCH, ComparisonStore, Filters, no_such_comparison
from server.storage.database import unavailable
from server.storage.times import utc_now

_LOG = logging.getLogger("dermport.comparing")
Listener = Callable[[ComparisonAnswer], None]


@dataclass(frozen=True)
class Keeping:
    """What is kept, and for how long.

    Attributes:
        photos: Whether the photos are.
        days: Age after which :meth:`Comparisons.purge` deletes; None keeps everything.
    """

    photos: bool = False
    days: int | None = None


class Comparisons:
    """Judges and keeps comparisons, for any number of threads.

    Args:
        models: The models.
        store: Where comparisons are kept.
        runner: Runs phones' files.
        photos: Where photos are kept.
        keeping: What is kept.
        listeners: Told of each comparison once it is stored; what they raise is logged and changes nothing.
        now: The time, aware.

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
    ) -> None:
        self._models, self.store, self._runner, self._photos = models, store, runner, photos
        self._keeping, self._listeners, self._now = keeping, tuple(listeners), now
        self._decoding = threading.Lock()
        self._being_stored: set[str] = set()

    def compare(self, sent: Sent, key: str | None, request_id: str) -> tuple[ComparisonAnswer, bool]:
        """Judge and store what a phone sent; return it, and whether it is new: a key's second request gets the first's.

        Once this returns, the comparison is on the disk.

        Args:
            sent: What the phone sent.
            key: The request's idempotency key.
            request_id: The request's id.

        Raises:
            PhotoError: What was sent is refused.
            RequestError: 409, the key was used for another comparison; 422, other labels; 503 "overloaded";
                507 or 503 "storage-unavailable". Nothing was stored then.
            UnavailableError: The live model is not proved.
        """
        if key is not None and (earlier := self.store.earlier(key, sent.fingerprint)):
            return earlier, False
        with self._models.lease() as live:
            case = Case(sent, live, self._models.bundles(), self._runner, self._decoding)
            answer = self._answer(judge(case, self._runner), request_id)
        if self._store(answer, sent, key, case):
            self._tell(answer)
            return answer, True
        if key is not None and (earlier := self.store.earlier(key, sent.fingerprint)):
            return earlier, False  # the same request, sent twice at once
        raise unavailable()

    def summary(self, filters: Filters) -> ComparisonSummary:
        """Return figures of the comparisons that `filters` name."""
        return summarise(self.store.database, filters)

    def drift(self) -> DriftAnswer:
        """Return how the files that phones run stand against the drift policy."""
        return standing(self.store, self._runner)

    def delete(self, comparison_id: str) -> None:
        """Delete a comparison and its photo; RequestError 404 where there is none."""
        self._photos.remove(comparison_id)  # first: were it last, a kill in between would leave it behind
        if not self.store.delete((comparison_id,)):
            raise no_such_comparison()

    def purge(self, now: datetime) -> int:
        """Delete what is older than its time, and photos that no comparison has; return how many comparisons went.

        Raises:
            RequestError: 503 "storage-unavailable".
        """
        gone = 0
        if self._keeping.days is not None:
            before = now - timedelta(days=self._keeping.days)
            while ids := self.store.ids_before(before):
                for comparison_id in ids:
                    self._photos.remove(comparison_id)
                gone += self.store.delete(ids)
        self._remove_orphans()
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
            missing=judged.missing,
            phone=judged.phone,
            server=judged.server,
            photo_kept=self._keeping.photos,
            request_id=request_id,
        )

    def _store(self, answer: ComparisonAnswer, sent: Sent, key: str | None, case: Case) -> bool:
        """Store a comparison, with its photo where photos are kept; neither of them where that fails."""
        if not self._keeping.photos:
            return self.store.add(answer, sent.fingerprint, key)
        self._being_stored.add(answer.id)
        stored = False
        try:
            self._photos.write(answer.id, case.tensor)
            stored = self.store.add(answer, sent.fingerprint, key)
        finally:
            if not stored:
                self._photos.remove(answer.id)
            self._being_stored.discard(answer.id)
        return stored

    def _tell(self, answer: ComparisonAnswer) -> None:
        for listener in self._listeners:
            try:
                listener(answer)
            except Exception:  # the comparison is stored and must be acknowledged, whatever others make of it
                _LOG.exception("a listener failed on comparison %s", answer.id)

    def _remove_orphans(self) -> None:
        """Delete photos whose comparison was never stored, or was deleted, when the server was killed."""
        files = self._photos.files()
        while batch := tuple(islice(files, BATCH)):
            being_stored = frozenset(self._being_stored)  # before the table is read: what is stored by then is in it
            kept = self.store.known(tuple({comparison_id for comparison_id, _ in batch})) | being_stored
            for comparison_id, path in batch:
                if comparison_id not in kept:
                    path.unlink(missing_ok=True)
