"""Figures of a comparison: Bland-Altman, latency, the matrix of labels, and both sides against the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.manifest import Manifest
from dermport.mobile_stub.comparison import AgainstTruth, Latencies, Latency, McNemar, PhotoComparison
from dermport.mobile_stub.prediction import Prediction
from dermport.statistics.bootstrap import DEFAULT, Bootstrap, intervals, paired_intervals
from dermport.statistics.metrics import Floats, Predictions
from dermport.statistics.paired import mcnemar_exact

Pair = tuple[PhotoComparison, Prediction, Prediction]


def pairs_of(rows: Sequence[PhotoComparison]) -> tuple[Pair, ...]:
    """Return the photos that both sides predicted, with the phone's prediction and the server's."""
    return tuple(
        (row, row.phone, row.server)
        for row in rows
        if isinstance(row.phone, Prediction) and isinstance(row.server, Prediction)
    )


def lesions_of(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Return what a bootstrap resamples: the lesion, where it is known, else the photo itself."""
    return tuple(
        f"lesion {row.lesion}" if row.lesion is not None else f"photo {index}"
        for index, (row, _, _) in enumerate(pairs)
    )


def score_differences(pairs: Sequence[Pair]) -> Floats:
    """Return the decision scores' differences, phone minus Jetson, float64 [N]."""
    return np.array([(phone.score or 0.0) - (server.score or 0.0) for _, phone, server in pairs])


def latencies(pairs: Sequence[Pair]) -> Latencies:
    """Return the quantiles of each side's milliseconds."""
    return Latencies(
        phone=latency([phone.milliseconds for _, phone, _ in pairs]),
        server=latency([server.milliseconds for _, _, server in pairs]),
        round_trip=latency([row.round_trip for row, _, _ in pairs]),
    )


def latency(milliseconds: Sequence[float | None]) -> Latency | None:
    """Return the quantiles of what was measured; None where nothing was."""
    known = [value for value in milliseconds if value is not None]
    if not known:
        return None
    p50, p90, p99 = (round(float(value), 3) for value in np.quantile(known, (0.5, 0.9, 0.99)))
    return Latency(photos=len(known), p50=p50, p90=p90, p99=p99)


def label_matrix(pairs: Sequence[Pair], labels: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Return how often the phone said each label (rows) and the Jetson each (columns)."""
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for _, phone, server in pairs:
        counts[labels.index(phone.label), labels.index(server.label)] += 1
    return tuple(tuple(int(count) for count in row) for row in counts)


def against_truth(pairs: Sequence[Pair], manifest: Manifest, bootstrap: Bootstrap = DEFAULT) -> AgainstTruth | None:
    """Hold both sides against what the photos show; None where no photo's label is known."""
    ids = manifest.task.ids
    labelled = [pair for pair in pairs if pair[0].truth in ids]
    if not labelled:
        return None
    truth = np.array([ids.index(row.truth or "") for row, _, _ in labelled])
    lesions = lesions_of(labelled)
    rule = (manifest.task.positive_indices, manifest.threshold)
    phone = Predictions(_probabilities([said for _, said, _ in labelled], ids), truth, *rule)
    server = Predictions(_probabilities([said for _, _, said in labelled], ids), truth, *rule)
    return AgainstTruth(
        photos=len(labelled),
        lesions=len(set(lesions)),
        label=_mcnemar(phone.predicted == truth, server.predicted == truth),
        decision=_mcnemar(phone.decided == phone.is_positive, server.decided == server.is_positive)
        if manifest.decision
        else None,
        phone=intervals(phone, lesions, bootstrap).overall,
        server=intervals(server, lesions, bootstrap).overall,
        change=paired_intervals(
            phone.probabilities,
            server.probabilities,
            truth,
            lesions,
            positive=phone.positive,
            threshold=phone.threshold,
            bootstrap=bootstrap,
        ),
    )


def _probabilities(said: Sequence[Prediction], ids: Sequence[str]) -> Floats:
    return np.array([[one.probabilities[label] for label in ids] for one in said])


def _mcnemar(phone: NDArray[np.bool_], server: NDArray[np.bool_]) -> McNemar:
    phone_only, server_only = int((phone & ~server).sum()), int((server & ~phone).sum())
    return McNemar(phone_only=phone_only, server_only=server_only, p=mcnemar_exact(phone_only, server_only))
