"""The same photos on the phone and on the Jetson, and where the two disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone

import numpy as np

from bundle.agreement import Quantiles, Share, share_of
from bundle.causes import SAME, largest_change
from bundle.errors import PhotoError, ServerError
from bundle.manifest import Manifest
from mobile_stub.client import JetsonClient
from mobile_stub.comparison import Cause, Comparison, PhotoComparison, Totals
from mobile_stub.phone import PhoneModel
from mobile_stub.photos import Photo
from mobile_stub.prediction import Prediction, Refusal, from_answer

Progress = Callable[[int, int], None]


def compare(
    manifest: Manifest,
    photos: Sequence[Photo],
    phone: PhoneModel,
    client: JetsonClient,
    progress: Progress | None = None,
) -> Comparison:
    """Have both sides answer every photo.

    Raises:
        ServerError: The server is not ready, stops answering, or knows other labels than the phone.
        UsageError: A photo cannot be read from disk.
    """

    def ask_server(data: bytes) -> Prediction:
        return from_answer(client.predict(data))

    client.check_ready()
    rows = []
    for done, photo in enumerate(photos, start=1):
        data = photo.read()
        rows.append(judge(photo.name, _ask(phone.predict, data), _ask(ask_server, data)))
        if progress is not None:
            progress(done, len(photos))
    return Comparison(
        bundle=manifest.name,
        version=manifest.version,
        server=client.url,
        decision=manifest.decision.name,
        threshold=manifest.decision.threshold,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        photos=tuple(rows),
        totals=total(rows),
    )


def _ask(side: Callable[[bytes], Prediction], data: bytes) -> Prediction | Refusal:
    try:
        return side(data)
    except PhotoError as error:
        return Refusal(code=error.code, message=error.message)


def judge(photo: str, phone: Prediction | Refusal, server: Prediction | Refusal) -> PhotoComparison:
    """Hold the two sides of one photo against each other and name the cause by evidence.

    Raises:
        ServerError: The two know different labels, so that their probabilities cannot be compared.
    """
    if isinstance(phone, Refusal) or isinstance(server, Refusal):
        return PhotoComparison(photo=photo, phone=phone, server=server, cause=_cause_of_refusal(phone, server))
    change = _change(phone, server)
    return PhotoComparison(
        photo=photo,
        phone=phone,
        server=server,
        cause=_cause(phone, server, change),
        change=change,
        same_input=phone.input_sha256 == server.input_sha256,
        same_label=phone.label == server.label,
        same_decision=phone.positive == server.positive,
    )


def _cause_of_refusal(phone: Prediction | Refusal, server: Prediction | Refusal) -> Cause:
    both = isinstance(phone, Refusal) and isinstance(server, Refusal) and phone.code == server.code
    return "refused" if both else "error"


def _change(phone: Prediction, server: Prediction) -> float:
    if phone.probabilities.keys() != server.probabilities.keys():
        raise ServerError(
            f"The server's labels are {', '.join(server.probabilities)}; the bundle's are "
            f"{', '.join(phone.probabilities)}.",
            remedy="Serve the same bundle, or one of the same task.",
        )
    return largest_change(phone.probabilities, server.probabilities)


def _cause(phone: Prediction, server: Prediction, change: float) -> Cause:
    if phone.input_sha256 != server.input_sha256:
        return "preprocessing"
    if change <= SAME:
        return "same"
    if phone.model_sha256 != server.model_sha256:
        return "model"
    return "artifact" if phone.artifact_sha256 != server.artifact_sha256 else "runtime"


def total(rows: Sequence[PhotoComparison]) -> Totals:
    """Count over the photos."""
    pairs = [
        (row.phone, row.server)
        for row in rows
        if isinstance(row.phone, Prediction) and isinstance(row.server, Prediction)
    ]
    return Totals(
        photos=len(rows),
        predicted=len(pairs),
        inputs_equal=sum(row.same_input is True for row in rows),
        label_agreement=_share(phone.label == server.label for phone, server in pairs),
        decision_agreement=_share(phone.positive == server.positive for phone, server in pairs),
        flips_to_positive=sum(server.positive and not phone.positive for phone, server in pairs),
        flips_to_negative=sum(phone.positive and not server.positive for phone, server in pairs),
        change=_quantiles([row.change for row in rows if row.change is not None]),
        causes=dict(Counter(row.cause for row in rows)),
    )


def _share(outcomes: Iterable[bool]) -> Share:
    agreed = list(outcomes)
    return share_of(sum(agreed), len(agreed))


def _quantiles(changes: list[float]) -> Quantiles | None:
    if not changes:
        return None
    median, p95 = np.quantile(changes, [0.5, 0.95])
    return Quantiles(mean=float(np.mean(changes)), median=float(median), p95=float(p95), max=max(changes))
