from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dermport.bundle.benchmark_record import BenchmarkResult, ExportResult
from dermport.bundle.notice import NOTICE
from dermport.exporters.benchmark.compare import compare
from dermport.exporters.benchmark.files import read_result
from dermport.exporters.benchmark.published import NOT_FOUND
from dermport.exporters.benchmark.report import sections_of, write_report
from dermport.exporters.benchmark.reporting.html import stacked
from dermport.exporters.benchmark.reporting.subjects import Subjects
from dermport.exporters.benchmark.reporting.table import ReportSection, Table
from dermport.exporters.benchmark.reporting.words import digits, share, signed
from tests.exporters.benchmark.made import JETSON, X86, entry, export, result, session, sha256

BOTH = ("ham7", "small")


class _Page(HTMLParser):
    """Gathers what a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def _several() -> BenchmarkResult:
    return result(session(X86, BOTH), session(JETSON, BOTH, energy=True, factor=0.6), bundles=BOTH)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(_several(), folder, compare(_several(), result(session(X86, BOTH, factor=0.9), bundles=BOTH)))
    return folder


@pytest.fixture(scope="module")
def html(written: Path) -> str:
    return (written / "report.html").read_text()


def _section(made: BenchmarkResult, name: str) -> ReportSection:
    return next(one for one in sections_of(made) if one.id == name)


def _table(made: BenchmarkResult, section: str, caption: str) -> Table:
    return next(one for one in _section(made, section).tables if one.caption.startswith(caption))


def _changed(name: str, **update: object) -> ExportResult:
    return export(name, "ham7").model_copy(update=update)


def test_files(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == {
        "report.html",
        "report.md",
        "report.csv",
        "benchmark.json",
        "comparison.json",
    }
    assert read_result(written) == _several()


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    paths = write_report(result(), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "kept"
    assert [path.name for path in paths] == ["report.html", "report.md", "report.csv", "benchmark.json"]
    assert all(path.is_file() for path in paths)


def test_the_page_asks_nobody_for_anything(html: str) -> None:
    page = _Page()
    page.feed(html)
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    assert all(str(link["href"]).startswith("#") for link in page.all("a"))
    assert "@import" not in html
    assert set(re.findall(r"url\(([^)]*)\)", html)) <= {
        f"#hatch-{name}" for name in ("up", "down", "dots", "upright", "level", "cross")
    }


def test_the_notice_stands_above_everything(html: str) -> None:
    assert html.index(NOTICE) < html.index("<table")
    assert html.index(NOTICE) < html.index("<nav")


def test_tables_and_charts_can_be_read_aloud(html: str) -> None:
    page = _Page()
    page.feed(html)
    assert len(page.all("caption")) == len(page.all("table")) > 12
    assert all(cell.get("scope") in {"col", "row"} for cell in page.all("th"))
    charts = re.findall(r'<svg class="chart".*?</svg>', html, re.DOTALL)
    assert len(charts) == 8, "size, and latency, throughput and Pareto of both machines, and energy of one"
    for chart in charts:
        tree = ElementTree.fromstring(chart)
        assert [child.tag for child in tree[:2]] == ["title", "desc"]
        assert all(child.text for child in tree[:2])


def test_nothing_is_told_by_colour_alone(html: str) -> None:
    """Families differ by hatch and by shape; rows that are worse have a sign before their name."""
    charts = re.findall(r'<svg class="chart".*?</svg>', html, re.DOTALL)
    assert len(set(re.findall(r"#hatch-(\w+)", charts[0]))) == 3, "float32 is solid"
    latency = ElementTree.fromstring(next(chart for chart in charts if "<title>Latency" in chart))
    assert len({mark.get("d") for mark in latency.findall("path")}) == 3
    assert 'tr.danger > th::before { content: "▲ "' in html


def test_every_export_is_beside_the_published_one() -> None:
    made = result()
    for section, caption in (
        ("quality", "Table 1."),
        ("size", "Table 2."),
        ("speed", "Table 3."),
        ("energy", "Table 4."),
    ):
        rows = _table(made, section, caption).rows
        published = [row for row in rows if row.kind == "published"]
        assert published
        assert any(NOT_FOUND in row.cells for row in published)
        assert all(row.cells[0].startswith("published") for row in published)
    assert _table(made, "quality", "Table 1.").rows[-3].cells[1:] == ("0.8148", "0.9318", "0.8191", "0.8718", "0.8905")


def test_the_decision_is_scored_as_the_paper_scores_it() -> None:
    row = next(row for row in _table(result(), "quality", "Table 1.").rows if row.cells[0] == "tflite-int8")
    hits, cancers, photos = 67, 80, 400
    accuracy, recall, f1 = (photos - cancers + hits) / photos, hits / cancers, 2 * hits / (hits + cancers)
    assert row.cells[1:5] == (f"{accuracy:.3f}", "1.000", f"{recall:.3f}", f"{f1:.3f}")


def test_a_loss_is_marked_where_its_interval_shows_it() -> None:
    kinds = {row.cells[0]: row.kind for row in _table(result(), "quality", "Table 1b").rows}
    assert kinds == {"coreml-palette4": "worse", "onnx-int8": "worse", "tflite-fp16": "", "tflite-int8": "worse"}


def test_dangerous_flips_come_first() -> None:
    rows = _table(result(), "flips", "Flips").rows
    assert [row.cells[:3] for row in rows] == [
        ("coreml-palette4", "9", "12.9 % of 70"),
        ("onnx-int8", "5", "7.1 % of 70"),
        ("tflite-int8", "3", "4.3 % of 70"),
        ("tflite-fp16", "0", "0.0 % of 70"),
    ]
    assert [row.kind for row in rows] == ["danger", "danger", "danger", ""]


def test_what_was_not_measured_is_said_with_its_reason() -> None:
    made = result()
    speed, energy = _table(made, "speed", "Table 3."), _section(made, "energy")
    assert any("coreml-palette4: only mil-reference here" in note for note in speed.notes)
    assert not any(row.cells[0] == "coreml-palette4" for row in speed.rows)
    assert "not measured" in energy.words[0]
    assert any("RAPL" in note and "onnx-fp32" in note for note in energy.tables[0].notes)
    assert not energy.pictures
    glance = {row.cells[0]: row.cells for row in _table(made, "glance", "Every").rows}
    assert glance["coreml-palette4"][2] == "not measured"


def test_energy_where_the_machine_tells() -> None:
    made = result(session(JETSON, energy=True))
    section = _section(made, "energy")
    row = next(row for row in section.tables[0].rows if row.cells[0] == "tflite-int8")
    assert row.cells[1:6] == ("15.0", "14.5 to 16.0", "0.50", "4.10", "7.20")
    assert len(section.pictures) == 1


def test_machines_stand_side_by_side() -> None:
    table = _table(_several(), "speed", "Machines side by side")
    assert table.head[1:] == ("Intel Xeon Processor", "NVIDIA Jetson Orin Nano Developer Kit, 15W")
    row = next(row for row in table.rows if row.cells[0] == "small tflite-int8")
    assert row.cells[1:] == ("5.01 (0.50)", "3.00 (0.30)")


def test_answers_that_are_the_same_everywhere_are_told_once() -> None:
    assert [name for name, _, _ in Subjects(_several()).answers].count("ham7 tflite-int8") == 1


def test_other_files_on_another_machine_are_told() -> None:
    engine = _changed("onnx-int8", artifact_sha256=sha256("built elsewhere"))
    made = result(session(X86), session(JETSON, exports=(export("onnx-fp32", "ham7"), engine)))
    assert any("Not the same file on all machines: ham7 onnx-int8" in words for words in _section(made, "where").words)
    sizes = [row.cells[0] for row in _table(made, "size", "Table 2.").rows]
    assert "onnx-int8 (NVIDIA Jetson Orin Nano Developer Kit, 15W)" in sizes


def test_photos_without_labels_give_agreement_alone(tmp_path: Path) -> None:
    made = result(session(labels=False))
    write_report(made, tmp_path)
    assert _table(made, "glance", "Every").head == ("", "MB", "p50, ms", "agreement", "evidence")
    assert _table(made, "quality", "Table 1b").head == ("", "top-1 agreement", "largest |Δp|")
    assert "agreement" in _section(made, "pareto").pictures[0].title
    assert "no labels" in (tmp_path / "report.html").read_text()


def test_without_a_reference_there_are_no_ratios(tmp_path: Path) -> None:
    bare = session(
        names=("tflite-int8",),
        reference=None,
    )
    write_report(result(bare), tmp_path)
    assert "no float32 export ran" in (tmp_path / "report.md").read_text()


def test_small_groups_have_counts_only() -> None:
    rows = _table(result(), "groups", "Age").rows
    small = [row for row in rows if row.cells[0] == "80 and above"]
    assert len(small) == 5
    assert all(row.cells[5:8] == ("–", "–", "–") for row in small)
    lost = next(row for row in rows if row.cells[:2] == ("0 to 39", "tflite-int8"))
    assert lost.cells[5] == "0.770 (−0.030, −0.040 to −0.025)"
    assert lost.kind == "worse"
    assert "and 22 smaller ones" in _section(result(), "groups").words[1]


def test_classes_before_and_after() -> None:
    rows = _table(result(), "classes", "Classes").rows
    assert [row.cells[0] for row in rows] == ["mel"] * 5 + ["nv"] * 5
    assert rows[0].cells[1:4] == ("onnx-fp32", "200", "0.800 (0.760 to 0.840)")
    worse = next(row for row in rows if row.cells[1] == "tflite-int8")
    assert (worse.kind, worse.cells[3]) == ("worse", "0.770 (−0.030, −0.040 to −0.025)")
    assert not _section(result(session(labels=False)), "classes").tables


def test_the_front() -> None:
    marked = {row.cells[1]: row.cells[-1] for row in _table(result(), "pareto", "The plot's").rows}
    assert marked == {"onnx-fp32": "no", "onnx-int8": "yes", "tflite-fp16": "yes", "tflite-int8": "yes"}


def test_markdown_tables_are_tables(written: Path) -> None:
    text = (written / "report.md").read_text()
    assert text.index(NOTICE) < text.index("##")
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(blocks) > 12
    for block in blocks:
        lines = block.splitlines()
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
        assert set(lines[1]) <= set("|-:")


def test_names_cannot_break_out(tmp_path: Path) -> None:
    hostile = entry(recipe='<script>alert("1")</script> | `x` *y*')
    made = BenchmarkResult(bundles=(hostile,), sessions=(session(command="dermport benchmark '<b>'"),))
    write_report(made, tmp_path)
    assert "<script" not in (tmp_path / "report.html").read_text()
    assert "\\<script\\>" in (tmp_path / "report.md").read_text()


def test_csv_has_a_row_for_each_export_and_batch(written: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((written / "report.csv").read_text())))
    keys = {(row["machine"], row["bundle"], row["target"], row["precision"], row["batch"]) for row in rows}
    assert len(keys) == len(rows) == 2 * 2 * (4 * 2 + 1)
    row = next(row for row in rows if (row["bundle"], row["precision"], row["batch"]) == ("ham7", "int8", "8"))
    assert float(row["latency_ratio_low"]) < float(row["latency_ratio"]) < float(row["latency_ratio_high"])
    assert float(row["balanced_accuracy_change"]) < 0
    unmeasured = next(row for row in rows if row["precision"] == "palette4")
    assert (unmeasured["batch"], unmeasured["p50_ms"]) == ("", "")
    assert unmeasured["speed_not_measured_because"] == "only mil-reference here"


def test_the_comparison_says_first_what_got_worse(html: str) -> None:
    compared = html[html.index('id="compared"') : html.index('id="where"')]
    verdicts = re.findall(r'<td class="words">(worse|better|no difference shown|not comparable)</td>', compared)
    assert verdicts[0] == "worse"
    assert verdicts == sorted(verdicts, key=["worse", "better", "no difference shown", "not comparable"].index)
    assert "99 % bootstrap interval" in compared


def test_words() -> None:
    assert [digits(value) for value in (None, 0, 0.01234, 1.234, 123.4, 12_345.6)] == [
        "–",
        "0",
        "0.0123",
        "1.23",
        "123",
        "12,346",
    ]
    assert digits(0.0000123) == "1.2e-05"
    assert [share(value) for value in (0.034, 0.0999, 0.412)] == ["0.034", "0.10", "0.41"]
    assert [signed(value) for value in (-0.0123, 0.5, 0.00001, None)] == ["−0.012", "+0.500", "0.000", "–"]


def test_intervals_stand_below_their_value() -> None:
    assert stacked("0.5 (0.4 to 0.6)") == '0.5 <span class="ends">(0.4 to 0.6)</span>'
    assert stacked("9.0 (1.00)") == "9.0 (1.00)"
    assert stacked("<i> (1 to 2)") == '&lt;i&gt; <span class="ends">(1 to 2)</span>'
