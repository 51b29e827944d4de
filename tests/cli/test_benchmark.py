"""``dermport benchmark`` as its users type it, on the tiny bundle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from dermport.bundle.benchmark_record import BenchmarkResult
from dermport.bundle.store import Bundle
from dermport.cli.benchmark import benchmark
from dermport.errors import DataError, UsageError
from tests.cli.test_evaluate import made_with
from tests.factories import LABELS, draw_set

QUICK = ("--runs", "2", "--repeats", "2", "--batch", "4")


def run(*words: object) -> Result:
    app = typer.Typer()
    app.command()(benchmark)
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 24 drawn photos with what is known of the people."""
    folder = tmp_path_factory.mktemp("photos")
    rows = ["path,label,lesion_id,age,sex,localization"]
    for index, (photo, label) in enumerate(zip(*draw_set(6, first_seed=500), strict=True)):
        (folder / f"{index:02d}.jpg").write_bytes(photo)
        lesion = f"lesion-{index // 6}-{(0, 0, 0, 1, 2, 2)[index % 6]}"  # in one part each, as made_with() deals them
        rows.append(f"{index:02d}.jpg,{LABELS[label]},{lesion},{20 + index},female,back")
    (folder / "photos.csv").write_text("\n".join(rows) + "\n")
    return folder / "photos.csv"


@pytest.fixture(scope="module")
def measured(shared_exports: Bundle, table: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The folder that ``--out`` named, and what was printed."""
    out = tmp_path_factory.mktemp("benchmark") / "out"
    words = (
        shared_exports.path,
        "--exports",
        "onnx-int8-cpu",
        "--data",
        table,
        "--part",
        "all",
        "--out",
        out,
        "--json",
    )
    return out, run(*words, *QUICK)


def test_one_document_on_stdout_and_tables_on_stderr(measured: tuple[Path, Result]) -> None:
    out, result = measured
    assert result.exit_code == 0
    printed = BenchmarkResult.model_validate_json(result.stdout)
    assert {path.suffix for path in out.iterdir()} == {".html", ".md", ".csv", ".json"}
    assert printed == BenchmarkResult.model_validate_json((out / "benchmark.json").read_bytes())
    (session,) = printed.sessions
    assert session.settings.batches == (1, 4)
    assert [export.name for export in session.exports] == ["onnx-fp32", "onnx-int8-cpu"]
    assert (session.photos.part, session.photos.photos, session.photos.lesions) == ("all", 24, 12)
    accuracy = session.exports[1].accuracy
    assert accuracy is not None
    assert {(group.kind, group.group) for group in accuracy.subgroups} >= {("sex", "female"), ("site", "back")}
    for word in ("onnx-int8-cpu", "danger", "Ratios are to onnx-fp32", "never a diagnosis"):
        assert word in result.stderr


def test_a_result_compared_with_itself_is_not_worse(measured: tuple[Path, Result]) -> None:
    file = measured[0] / "benchmark.json"
    result = run("--merge", file, "--compare", file, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["comparison"]["lines"]
    assert "0 worse" in result.stderr


def test_what_got_worse_is_said_and_ends_with_1(measured: tuple[Path, Result], tmp_path: Path) -> None:
    document = json.loads((measured[0] / "benchmark.json").read_text())
    for export in document["sessions"][0]["exports"]:
        export["size"]["artifact_bytes"] //= 2
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps(document))
    result = run("--merge", measured[0] / "benchmark.json", "--compare", earlier, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "worse" in result.stderr
    assert (tmp_path / "out" / "comparison.json").is_file()


def test_results_of_several_machines_come_in_one(measured: tuple[Path, Result], tmp_path: Path) -> None:
    document = json.loads((measured[0] / "benchmark.json").read_text())
    document["sessions"][0]["machine"] |= {
        "processor": "ARMv8",
        "jetson": "NVIDIA Jetson Orin Nano",
        "power_mode": "15W",
    }
    other = tmp_path / "jetson.json"
    other.write_text(json.dumps(document))
    result = run("--merge", measured[0] / "benchmark.json", "--merge", other, "--out", tmp_path / "both")
    assert "power mode 15W" in result.stderr
    assert "Orin Nano" in (tmp_path / "both" / "report.html").read_text()
    both = BenchmarkResult.model_validate_json((tmp_path / "both" / "benchmark.json").read_bytes())
    assert [session.machine.jetson for session in both.sessions] == [None, "NVIDIA Jetson Orin Nano"]


def test_a_part_is_of_the_bundles_own_split(exported_bundle: Bundle, table: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="other fingerprint"):
        run(exported_bundle.path, "--exports", "onnx-fp32", "--data", table, "--part", "test", *QUICK)
    made_with(exported_bundle, table)
    result = run(exported_bundle.path, "--exports", "onnx-fp32", "--data", table, "--json", *QUICK)
    (session,) = BenchmarkResult.model_validate_json(result.stdout).sessions
    assert (session.photos.part, session.photos.photos) == ("test", 8)


def test_nonsense_is_refused_before_anything_is_measured(shared_exports: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Nothing is named"):
        run()
    with pytest.raises(UsageError, match="exists already"):
        run(shared_exports.path, "--out", tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        run(shared_exports.path, "--compare", tmp_path / "absent.json")
    with pytest.raises(UsageError, match="There is no part"):
        run(shared_exports.path, "--data", tmp_path, "--part", "some")
