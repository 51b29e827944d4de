"""The two sides of each photo held against each other: verdict, cause, totals, and the whole comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

import numpy as np

from dermport.bundle.causes import SAME, largest_change
from dermport.bundle.manifest import Manifest
from dermport.mobile_stub.agreement import check_agreement
from dermport.mobile_stub.comparison import ArtifactComparison, ArtifactSummary, PhotoComparison, Totals
from dermport.mobile_stub.figures import against_truth, label_matrix, latencies, lesions_of, pairs_of, score_differences
from dermport.mobile_stub.journal import PhoneEntry, ServerEntry
from dermport.mobile_stub.maps import map_change
from dermport.mobile_stub.photos import Photo
from dermport.mobile_stub.prediction import Prediction, Refusal, check_labels
from dermport.mobile_stub.received import FACTORS, ReceivedParts
from dermport.statistics.bland_altman import bland_altman
from dermport.statistics.estimates import Quantiles, Share, share_of


def row_of(photo: Photo, asked: PhoneEntry, answered: ServerEntry) -> PhotoComparison:
    """Return a photo's comparison from what the journal has of it; where the server named a cause, it is that one."""
    judged = judge(photo.name, asked.phone, answered.server)
    facts: dict[str, object] = {"round_trip": answered.round_trip, "truth": photo.truth, "lesion": photo.lesion}
    if answered.comparison is not None:
        facts |= {"cause": answered.cause, "words": answered.words, "steps": answered.steps}
        facts |= {"parts": answered.parts, "faults": answered.faults, "comparison": answered.comparison}
    return judged.model_copy(update=facts)


def judge(photo: str, phone: Prediction | Refusal, server: Prediction | Refusal) -> PhotoComparison:
    """Hold the two sides of one photo against each other and name the cause by their hashes.

    Raises:
        ServerError: The two know different labels, so that their probabilities cannot be compared.
    """
    if isinstance(phone, Refusal) or isinstance(server, Refusal):
        return PhotoComparison(photo=photo, phone=phone, server=server, cause=_cause_of_refusal(phone, server))
    check_labels(phone, server)
    change = largest_change(phone.probabilities, server.probabilities)
    return PhotoComparison(
        photo=photo,
        phone=phone,
        server=server,
        cause=_cause(phone, server, change),
        change=change,
        same_input=phone.input_sha256 == server.input_sha256,
        same_label=phone.label == server.label,
        same_decision=None if None in (phone.score, server.score) else phone.positive == server.positive,
        map_change=map_change(phone, server),
    )


def _cause_of_refusal(phone: Prediction | Refusal, server: Prediction | Refusal) -> str:
    both = isinstance(phone, Refusal) and isinstance(server, Refusal) and phone.code == server.code
    return "refused" if both else "error"


def _cause(phone: Prediction, server: Prediction, change: float) -> str:
    if phone.input_sha256 != server.input_sha256:
        return "preprocessing"
    if change <= SAME:
        return "same"
    if phone.artifact_sha256 == server.artifact_sha256:
        return "runtime"
    if phone.model_sha256 is None:
        return "unexplained"
    return "model" if phone.model_sha256 != server.model_sha256 else "artifact"


def comparison_of(
    manifest: Manifest,
    rows: Sequence[PhotoComparison],
    artifact: ArtifactSummary,
    server: str,
    *,
    classes: tuple[str | None, str | None],
    waiting: int = 0,
) -> ArtifactComparison:
    """Return the whole comparison of one artifact.

    Args:
        manifest: The bundle's.
        rows: The photos that both sides answered, be it by refusing.
        artifact: What the phone ran.
        server: The server's address.
        classes: The policy's classes of what phone and server ran; None where one is not known.
        waiting: How many photos the server has not answered yet.
    """
    pairs, totals = pairs_of(rows), total(rows)
    return ArtifactComparison(
        bundle=manifest.name,
        version=manifest.version,
        server=server,
        decision=manifest.decision.name if manifest.decision else None,
        threshold=manifest.decision.threshold if manifest.decision else None,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        artifact=artifact,
        labels=manifest.task.ids,
        photos=tuple(rows),
        totals=totals,
        standing=check_agreement(totals.label_agreement, *classes),
        matrix=label_matrix(pairs, manifest.task.ids),
        bland_altman=bland_altman(score_differences(pairs), lesions_of(pairs)) if manifest.decision else None,
        latency=latencies(pairs),
        truth=against_truth(pairs, manifest),
        waiting=waiting,
    )


def total(rows: Sequence[PhotoComparison]) -> Totals:
    """Count over the photos."""
    pairs = [(phone, server) for _, phone, server in pairs_of(rows)]
    return Totals(
        photos=len(rows),
        predicted=len(pairs),
        inputs_equal=sum(row.same_input is True for row in rows),
        label_agreement=_share(phone.label == server.label for phone, server in pairs),
        decision_agreement=_share(row.same_decision for row in rows if row.same_decision is not None),
        flips_to_positive=sum(server.positive is True and phone.positive is False for phone, server in pairs),
        flips_to_negative=sum(phone.positive is True and server.positive is False for phone, server in pairs),
        withheld_on_phone=sum(phone.withheld for phone, _ in pairs),
        withheld_on_server=sum(server.withheld for _, server in pairs),
        change=_quantiles([row.change for row in rows if row.change is not None]),
        map_change=_quantiles([row.map_change for row in rows if row.map_change is not None]),
        causes=_counted(row.cause for row in rows),
        causes_of_disagreements=_counted(row.cause for row in rows if row.disagrees),
        parts=_mean_parts([row.parts for row in rows if row.parts is not None]),
        faults=_counted(fault.code for row in rows for fault in row.faults),
    )


def _counted(names: Iterable[str]) -> dict[str, int]:
    """Return how often each name occurs, the commonest first."""
    return dict(Counter(names).most_common())


def _mean_parts(parts: Sequence[ReceivedParts]) -> dict[str, float]:
    """Return the mean |part| of each factor over the photos for which the experiments told it apart."""
    known = {name: [abs(getattr(one, name)) for one in parts if getattr(one, name) is not None] for name in FACTORS}
    return {name: float(np.mean(values)) for name, values in known.items() if values}


def _share(outcomes: Iterable[bool]) -> Share:
    agreed = list(outcomes)
    return share_of(sum(agreed), len(agreed))


def _quantiles(changes: list[float]) -> Quantiles | None:
    if not changes:
        return None
    median, p95 = np.quantile(changes, [0.5, 0.95])
    return Quantiles(mean=float(np.mean(changes)), median=float(median), p95=float(p95), max=max(changes))
