from __future__ import annotations

import pytest

from dermport.bundle.benchmark_record import BenchmarkResult
from dermport.errors import DataError, UsageError
from dermport.exporters.benchmark.merge import differing_files, machine_labels, merge
from tests.exporters.benchmark.made import JETSON, X86, entry, export, result, session, sha256


def test_sessions_side_by_side_and_bundles_once() -> None:
    small = result(session(JETSON, bundles=("small",)), bundles=("small",))
    merged = merge([result(session(X86)), result(session(JETSON)), small])
    assert [one.name for one in merged.bundles] == ["ham7", "small"]
    assert [one.machine for one in merged.sessions] == [X86, JETSON, JETSON]
    assert BenchmarkResult.model_validate_json(merged.model_dump_json(by_alias=True)) == merged


def test_a_session_that_is_in_two_files_is_kept_once() -> None:
    first = result(session(X86))
    assert merge([merge([first, result(session(JETSON))]), first]).sessions == (session(X86), session(JETSON))


@pytest.mark.parametrize("fact", [{"threshold": 0.5}, {"macs": 1}, {"input_size": 96}, {"parameters": 3}])
def test_contradictions_about_a_model_are_refused_by_name(fact: dict[str, float]) -> None:
    other = BenchmarkResult(bundles=(entry(**fact),), sessions=(session(JETSON),))
    with pytest.raises(DataError, match=next(iter(fact))):
        merge([result(), other])


def test_what_one_machine_does_not_know_is_no_contradiction() -> None:
    other = BenchmarkResult(bundles=(entry(macs=None, version="renamed"),), sessions=(session(JETSON),))
    assert merge([result(), other]).bundles == (entry(),)


def test_nothing_to_merge() -> None:
    with pytest.raises(UsageError):
        merge([])


def test_files_that_differ_between_machines_are_told() -> None:
    engine = export("onnx-int8", "ham7").model_copy(update={"artifact_sha256": sha256("built elsewhere")})
    there = session(JETSON, exports=(export("onnx-fp32", "ham7"), engine))
    merged = merge([result(), result(there)])
    assert list(differing_files(merged)) == [(sha256("ham7"), "onnx-int8")]


def test_machines_have_names_of_their_own() -> None:
    labels = machine_labels(result(session(X86), session(JETSON), session(X86, created="2026-11-22T11:00:00+00:00")))
    assert labels == (
        "Intel Xeon Processor, session 1",
        "NVIDIA Jetson Orin Nano Developer Kit, 15W",
        "Intel Xeon Processor, session 2",
    )
