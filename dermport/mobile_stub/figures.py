"""Figures of a comparison: Bland-Altman, latency, the matrix of labels, and both sides against the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.manifest import Manifest
from dermport.mobile_stub.comparison import AgainstTruth, BlandAltman, Latencies, Latency, McNemar, PhotoComparison
from dermport.mobile_stub.prediction import Prediction
from dermport.statistics.bootstrap import DEFAULT, Bootstrap, intervals, paired_intervals
from dermport.statistics.estimates import Metric
from dermport.statistics.metrics import Floats, Predictions
from dermport.statistics.paired import mcnemar_exact
from dermport.statistics.wilson import Z95

Pair = tuple[PhotoComparison, Prediction, Prediction]


def pairs_of(rows: Sequence[PhotoComparison]) -> tuple[Pair, ...]:
    """Return the photos that both sides predicted, with the phone's prediction and the server's."""
    return tuple(
        (row, row.phone, row.server)
        for row in rows
        if isinstance(row.phone, Prediction) and isinstance(row.server, Prediction)
    )


def lesions_of(rows: Sequence[PhotoComparison]) -> tuple[str, ...]:
    """Return what a bootstrap resamples: the lesion, where it is known, else the photo itself."""
    return tuple(
        f"lesion {row.lesion}" if row.lesion is not None else f"photo {index}" for index, row in enumerate(rows)
    )


def bland_altman(pairs: Sequence[Pair], bootstrap: Bootstrap = DEFAULT) -> BlandAltman | None:
    """Return how the decision scores differ, phone minus Jetson; None for fewer than two photos.

    The intervals are percentiles of a bootstrap by lesion: the differences of two exports are far from normal (most are
    nearly 0, a few are large), and photos of a lesion are no independent cases.
    """
    if len(pairs) < 2:
        return None
    differences = np.array([phone.score - server.score for _, phone, server in pairs])
    lesions = lesions_of([row for row, _, _ in pairs])
    bias, sd = _moments(differences, np.ones((len(pairs), 1)))
    drawn = [_moments(differences, weights) for weights in bootstrap.weights(lesions)]
    biases, sds = (np.concatenate(part) for part in zip(*drawn, strict=True))

    def limit(sign: int) -> Metric:
        low, high = bootstrap.bounds(biases + sign * Z95 * sds)
        return Metric(value=float(bias[0] + sign * Z95 * sd[0]), low=low, high=high)

    return BlandAltman(photos=len(pairs), bias=limit(0), sd=float(sd[0]), lower=limit(-1), upper=limit(1))


def _moments(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return mean and sample standard deviation, float64 [B] each, of values [N] under case weights [N, B]."""
    total = weights.sum(axis=0)
    mean = values @ weights / total
    squares = np.maximum((values * values) @ weights - total * mean * mean, 0)
    return mean, np.sqrt(squares / (total - 1))


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
    lesions = lesions_of([row for row, _, _ in labelled])
    rule = (manifest.task.positive_indices, manifest.decision.threshold)
    phone = Predictions(_probabilities([said for _, said, _ in labelled], ids), truth, *rule)
    server = Predictions(_probabilities([said for _, _, said in labelled], ids), truth, *rule)
    return AgainstTruth(
        photos=len(labelled),
        lesions=len(set(lesions)),
        label=_mcnemar(phone.predicted == truth, server.predicted == truth),
        decision=_mcnemar(phone.decided == phone.is_positive, server.decided == server.is_positive),
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
