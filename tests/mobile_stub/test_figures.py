"""Bland-Altman, latency, the matrix of labels, both sides against the truth, and the policy's verdict."""

from __future__ import annotations

import pytest

from dermport.bundle.manifest import Manifest
from dermport.bundle.store import Bundle
from dermport.mobile_stub.agreement import check_agreement, policy_class
from dermport.mobile_stub.compare import judge
from dermport.mobile_stub.comparison import PhotoComparison
from dermport.mobile_stub.figures import (
    against_truth,
    label_matrix,
    latency,
    lesions_of,
    pairs_of,
    score_differences,
)
from dermport.mobile_stub.prediction import Prediction
from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.estimates import share_of

QUICK = Bootstrap(resamples=200)


@pytest.fixture
def manifest(golden_bundle: Bundle) -> Manifest:
    return golden_bundle.manifest


def _said(mel: float, milliseconds: float | None = 1.0) -> Prediction:
    return Prediction(
        label="mel" if mel > 0.5 else "nv",
        probabilities={"akiec": 0.0, "bcc": 0.0, "mel": mel, "nv": 1 - mel},
        score=mel,
        positive=mel >= 0.5,
        input_sha256="1" * 64,
        model_sha256="2" * 64,
        artifact_sha256="3" * 64,
        artifact="tflite fp32",
        runtime="LiteRT 2",
        milliseconds=milliseconds,
    )


def _row(phone: float, server: float, truth: str | None = None, lesion: str | None = None) -> PhotoComparison:
    return judge("x", _said(phone), _said(server)).model_copy(update={"truth": truth, "lesion": lesion})


def test_photos_of_one_lesion_are_one_case() -> None:
    rows = [_row(0.5, 0.4, lesion="a"), _row(0.5, 0.5, lesion="a"), _row(0.5, 0.6)]
    pairs = pairs_of(rows)
    assert lesions_of(pairs) == ("lesion a", "lesion a", "photo 2")
    assert score_differences(pairs) == pytest.approx([0.1, 0, -0.1])


def test_latency_is_of_what_was_measured() -> None:
    found = latency([*map(float, range(1, 101)), None])
    assert found is not None
    assert (found.photos, found.p50, found.p90) == (100, 50.5, 90.1)
    assert latency([None]) is None


def test_matrix_has_the_phone_in_its_rows(manifest: Manifest) -> None:
    matrix = label_matrix(pairs_of([_row(0.9, 0.9), _row(0.9, 0.1), _row(0.9, 0.1)]), manifest.task.ids)
    assert matrix == ((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 1, 2), (0, 0, 0, 0))


def test_against_truth(manifest: Manifest) -> None:
    rows = [
        *[_row(0.9, 0.8, "mel") for _ in range(6)],
        *[_row(0.1, 0.2, "nv") for _ in range(6)],
        *[_row(0.9, 0.2, "mel") for _ in range(3)],  # the phone alone is right
        _row(0.9, 0.2, "nv"),  # the server alone is right
        _row(0.9, 0.2, None),
    ]
    truth = against_truth(pairs_of(rows), manifest, QUICK)
    assert truth is not None
    assert (truth.photos, truth.lesions) == (16, 16)
    assert (truth.label.phone_only, truth.label.server_only) == (3, 1)
    assert truth.label.p == pytest.approx(10 / 16)
    assert truth.decision == truth.label
    assert truth.phone["accuracy"].value == pytest.approx(15 / 16)
    assert truth.server["accuracy"].value == pytest.approx(13 / 16)
    assert truth.change["accuracy"].change == pytest.approx(-2 / 16)
    assert truth.phone["decision_sensitivity"].value == 1.0
    assert truth.server["decision_specificity"].value == 1.0
    assert against_truth(pairs_of([_row(0.9, 0.9)]), manifest) is None


@pytest.mark.parametrize(
    ("agreed", "of", "phone", "server", "status"),
    [
        (1610, 1640, "int8", "int8", "pass"),
        (1200, 1640, "int8", "int8", "fail"),
        (1610, 1640, "fp16", "fp32", "fail"),
        (1610, 1640, "fp16", "int8", "pass"),  # the looser of the two
        (39, 40, "fp16", "fp16", "pass"),  # one of few photos fails nobody
        (0, 0, "fp32", "fp32", "pass"),
        (1200, 1640, None, None, "fail"),
    ],
)
def test_policy(agreed: int, of: int, phone: str | None, server: str | None, status: str) -> None:
    standing = check_agreement(share_of(agreed, of), phone, server)
    assert standing.status == status
    assert standing.least is not None


def test_class_of_a_precision_is_what_the_bundle_records() -> None:
    known = {"int8-full": "int8"}
    assert [policy_class(name, known) for name in ("int8-full", "fp16", None)] == ["int8", "fp16", None]
    assert check_agreement(share_of(5, 5), "of-next-year", None).classes == ("int8",)
