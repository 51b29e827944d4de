"""The cause of a difference, by evidence, and the totals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dermport.errors import ServerError
from dermport.mobile_stub.compare import judge, row_of, total
from dermport.mobile_stub.comparison import CAUSES, PhotoComparison
from dermport.mobile_stub.journal import PhoneEntry, ServerEntry
from dermport.mobile_stub.photos import Photo
from dermport.mobile_stub.prediction import Prediction, Refusal
from dermport.mobile_stub.received import ReceivedFault, ReceivedParts, ReceivedStep


def _said(p: float = 0.7, **other: Any) -> Prediction:
    facts: dict[str, Any] = {
        "label": "mel" if p >= 0.5 else "nv",
        "probabilities": {"mel": p, "nv": 1 - p},
        "score": p,
        "positive": p >= 0.4,
        "input_sha256": "1" * 64,
        "model_sha256": "2" * 64,
        "artifact_sha256": "3" * 64,
        "artifact": "tflite fp32",
        "runtime": "LiteRT 2",
        "milliseconds": 1.0,
    }
    return Prediction(**(facts | other))


OTHER = "f" * 64
EVIDENCE: list[tuple[Prediction | Refusal, str]] = [
    (_said(), "same"),
    (_said(0.7 + 9e-6, artifact_sha256=OTHER, model_sha256=OTHER), "same"),
    (_said(0.7 + 2e-5), "runtime"),
    (_said(0.6, artifact_sha256=OTHER), "artifact"),
    (_said(0.6, artifact_sha256=OTHER, model_sha256=OTHER), "model"),
    (_said(0.6, input_sha256=OTHER, artifact_sha256=OTHER, model_sha256=OTHER), "preprocessing"),
    (_said(0.7, input_sha256=OTHER), "preprocessing"),
    (Refusal(code="truncated", message="x"), "error"),
]
BY_EXPERIMENT_ONLY = {"photo-changed", "unexplained"}


@pytest.mark.parametrize(("server", "cause"), EVIDENCE)
def test_cause_is_named_by_evidence(server: Prediction | Refusal, cause: str) -> None:
    assert judge("x.jpg", _said(), server).cause == cause


def test_every_cause_is_explained_and_can_occur() -> None:
    assert {cause for _, cause in EVIDENCE} | {"refused"} | BY_EXPERIMENT_ONLY == set(CAUSES)


def test_a_file_of_unknown_origin_is_not_blamed() -> None:
    phone = _said(0.7, model_sha256=None)
    assert judge("x.jpg", phone, _said(0.6, artifact_sha256=OTHER)).cause == "unexplained"
    assert judge("x.jpg", phone, _said(0.6)).cause == "runtime"


def test_the_servers_experiments_name_the_cause() -> None:
    asked = PhoneEntry(
        id="1", photo="x", path="x", photo_sha256=OTHER, artifact_sha256="3" * 64, phone=_said(0.7), said=None
    )
    answered = ServerEntry(
        id="1",
        server=_said(0.6),
        served=OTHER,
        comparison="c",
        cause="a-cause-of-next-year",
        words="Because.",
        steps=(ReceivedStep(cause="a-cause-of-next-year", change=0.1, share=1.0),),
    )
    row = row_of(Photo("x.jpg", Path("x.jpg"), truth="mel", lesion="l"), asked, answered)
    assert (row.cause, row.words, row.truth, row.lesion) == ("a-cause-of-next-year", "Because.", "mel", "l")
    predicted = answered.model_copy(update={"comparison": None, "cause": None})
    assert row_of(Photo("x.jpg", Path("x.jpg")), asked, predicted).cause == "runtime"


def test_refusing_for_the_same_reason_is_agreeing() -> None:
    def refusal(code: str) -> Refusal:
        return Refusal(code=code, message=f"said by {code}")

    agreed = judge("x.jpg", refusal("empty"), Refusal(code="empty", message="in other words"))
    assert (agreed.cause, agreed.disagrees) == ("refused", False)
    differed = judge("x.jpg", refusal("empty"), refusal("photo-damaged"))
    assert (differed.cause, differed.disagrees) == ("error", True)
    assert differed.change is differed.same_input is differed.same_label is None


def test_change_is_the_largest_over_the_labels() -> None:
    phone = _said(probabilities={"mel": 0.7, "nv": 0.2, "df": 0.1})
    server = _said(probabilities={"mel": 0.6, "nv": 0.05, "df": 0.35})
    assert judge("x.jpg", phone, server).change == pytest.approx(0.25)


def test_other_labels_cannot_be_compared() -> None:
    with pytest.raises(ServerError, match=r"server's labels are bcc, nv; the bundle's are mel, nv"):
        judge("x.jpg", _said(), _said(probabilities={"bcc": 0.7, "nv": 0.3}, label="bcc"))


def _row(phone: float, server: float, **other: Any) -> PhotoComparison:
    return judge("x.jpg", _said(phone), _said(server, **other))


def test_totals() -> None:
    refused = Refusal(code="empty", message="x")
    rows = [
        _row(0.7, 0.7),
        _row(0.45, 0.55),  # another label, the same decision
        _row(0.39, 0.41),  # no on the phone, yes on the Jetson
        _row(0.41, 0.38),  # the other way round
        _row(0.9, 0.9, input_sha256=OTHER),
        judge("x.jpg", refused, refused),
        judge("x.jpg", _said(), refused),
    ]
    totals = total(rows)
    assert (totals.photos, totals.predicted, totals.inputs_equal) == (7, 5, 4)
    assert (totals.flips_to_positive, totals.flips_to_negative) == (1, 1)
    assert (totals.label_agreement.count, totals.label_agreement.of) == (4, 5)
    assert (totals.decision_agreement.count, totals.decision_agreement.of) == (3, 5)
    assert totals.causes == {"same": 1, "runtime": 3, "preprocessing": 1, "refused": 1, "error": 1}
    assert totals.change is not None
    assert totals.change.max == pytest.approx(0.1)
    assert totals.change.mean == pytest.approx((0.1 + 0.02 + 0.03) / 5)
    assert totals.change.median == pytest.approx(0.02)
    assert totals.causes_of_disagreements == {"runtime": 3, "preprocessing": 1, "error": 1}
    assert [row.disagrees for row in rows] == [False, True, True, True, True, False, True]


def test_totals_of_what_the_experiments_told() -> None:
    rows = [
        _row(0.7, 0.6).model_copy(update={"parts": ReceivedParts(change=0.1, artifact=0.3, preprocessing=None)}),
        _row(0.7, 0.6).model_copy(
            update={"parts": ReceivedParts(change=0.1, artifact=-0.1), "faults": (ReceivedFault(code="turned"),)}
        ),
        _row(0.7, 0.7),
    ]
    totals = total(rows)
    assert totals.parts == {"artifact": pytest.approx(0.2)}
    assert totals.faults == {"turned": 1}


def test_agreement_has_wilsons_interval() -> None:
    """All of 21: n / (n + z^2) is the lower end."""
    share = total([_row(0.7, 0.7)] * 21).label_agreement
    assert (share.count, share.of, share.high) == (21, 21, 1.0)
    assert share.low == pytest.approx(21 / (21 + 1.959964**2), abs=1e-6)


def test_no_predictions_have_no_quantiles() -> None:
    refused = Refusal(code="empty", message="x")
    totals = total([judge("x.jpg", refused, refused)])
    assert totals.change is None
    assert (totals.label_agreement.low, totals.label_agreement.high) == (0.0, 1.0)


def test_cannot_tell_is_an_answer_of_its_own() -> None:
    withheld = _said(0.9, positive=None)
    rows = [
        judge(f"{index}.jpg", phone, server)
        for index, (phone, server) in enumerate([(withheld, _said(0.9)), (_said(0.1), withheld), (withheld, withheld)])
    ]
    assert [row.same_decision for row in rows] == [False, False, True]
    assert [row.disagrees for row in rows] == [True, True, False]
    totals = total(rows)
    assert (totals.flips_to_positive, totals.flips_to_negative) == (0, 0)
    assert (totals.withheld_on_phone, totals.withheld_on_server) == (2, 2)


def test_without_a_decision_nothing_is_withheld_and_nothing_flips() -> None:
    undecided = {"score": None, "positive": None}
    row = judge("x.jpg", _said(**undecided), _said(0.6, artifact_sha256=OTHER, **undecided))
    assert (row.same_decision, row.same_label, row.cause, row.disagrees) == (None, True, "artifact", False)
    totals = total([row])
    assert (totals.decision_agreement.of, totals.label_agreement.of) == (0, 1)
    assert (totals.withheld_on_phone, totals.withheld_on_server, totals.flips_to_positive) == (0, 0, 0)
