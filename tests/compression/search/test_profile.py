"""Device profiles: the line through what was measured, where it comes from, and what it does not tell."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dermport.bundle.atomic import write_json
from dermport.compression.search.candidate import LatencyRecord
from dermport.compression.search.latency import OpenArtifact
from dermport.compression.search.profile import (
    DeviceProfile,
    PredictedLatency,
    ProfileRow,
    fit,
    from_search,
    load_profile,
    write_profile,
)
from dermport.errors import UsageError
from tests.compression.search.factories import measured
from tests.exporters.benchmark.made import JETSON, result, session


def row(export: str, millions: int, ms: float) -> ProfileRow:
    return ProfileRow(export=export, macs=millions * 1_000_000, ms=ms, artifact_bytes=1)


def loaded(precision: str, macs: int) -> OpenArtifact:
    record: Any = SimpleNamespace(record=SimpleNamespace(target="tflite", precision=precision))
    nothing: Any = None
    return OpenArtifact(record, nothing, "host-runtime", np.empty((0, 0, 0, 3), np.uint8), macs)


def test_fit_finds_the_line_that_the_rows_lie_on() -> None:
    line = fit([row("a", millions, 2 + 0.05 * millions) for millions in (20, 50, 100, 300)])
    assert line.at(200_000_000) == pytest.approx(12)
    assert line.error == pytest.approx(0, abs=1e-9)


def test_neither_end_of_a_line_is_below_zero() -> None:
    assert fit([row("a", 10, 0.5), row("a", 100, 10)]).overhead == 0
    assert fit([row("a", 10, 5), row("a", 100, 4)]).slope == 0


def test_one_size_alone_gives_a_line_through_zero_without_an_error() -> None:
    line = fit([row("a", 100, 4), row("a", 100, 6)])
    assert line.at(50_000_000) == pytest.approx(2.5)
    assert line.error is None


def test_profile_stands_for_the_device_and_says_so(tmp_path: Path) -> None:
    rows = (row("tflite-fp32", 100, 10), row("tflite-fp32", 200, 20), row("tflite-int8", 100, 4))
    write_profile(tmp_path / "phone.json", DeviceProfile(device="a phone", origin="by hand", rows=rows))
    latency_source = PredictedLatency(load_profile(tmp_path / "phone.json"))
    latency = latency_source.latency(loaded("int8", 50_000_000), loaded("fp32", 100_000_000))
    assert latency == LatencyRecord(source="by profile", device="a phone", ms=2.0, ratio=0.2)
    with pytest.raises(UsageError, match="no row of tflite-fp16"):
        latency_source.latency(loaded("fp16", 1), loaded("fp32", 1))


def test_a_search_is_the_profile_of_its_machine() -> None:
    profile = from_search([measured(1, ratio=1.0, macs=100), measured(2, ratio=0.5, macs=50, size=7)])
    assert profile.device == "a processor"
    assert [(one.macs, one.ms) for one in profile.rows] == [(100, 10.0), (50, 5.0)]
    by_profile = LatencyRecord(source="by profile", device="a phone", ms=1, ratio=1)
    with pytest.raises(UsageError, match="timed nothing"):
        from_search([measured(1, latency=by_profile)])
    elsewhere = LatencyRecord(source="measured", device="another", ms=1, ratio=1)
    with pytest.raises(UsageError, match="a processor, another"):
        from_search([measured(1), measured(2, latency=elsewhere)])


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "dermport-device-profile/1", "device": "x"}'])
def test_what_is_no_profile_is_refused_by_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "strange.json").write_text(text)
    with pytest.raises(UsageError, match=r"strange\.json"):
        load_profile(tmp_path / "strange.json")


def test_a_benchmark_of_another_machine_is_a_profile(tmp_path: Path) -> None:
    write_json(tmp_path / "jetson.json", result(session(JETSON)).model_dump(mode="json", by_alias=True))
    profile = load_profile(tmp_path / "jetson.json")
    assert profile.device == JETSON.jetson
    found = {one.export: (one.ms, one.macs) for one in profile.rows}
    assert found["onnx-fp32"] == (pytest.approx(10, rel=0.2), 221_000_000)
    assert "coreml-palette4" not in found  # only a reference ran it: its speed says nothing


def test_a_benchmark_of_several_machines_is_none(tmp_path: Path) -> None:
    both = result(session(), session(JETSON))
    write_json(tmp_path / "both.json", both.model_dump(mode="json", by_alias=True))
    with pytest.raises(UsageError, match="several machines"):
        load_profile(tmp_path / "both.json")
