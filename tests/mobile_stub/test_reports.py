"""Table, CSV and HTML of a comparison."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from dermport.bundle.manifest import Manifest
from dermport.bundle.notice import NOTICE
from dermport.bundle.store import Bundle
from dermport.mobile_stub.compare import comparison_of, judge
from dermport.mobile_stub.comparison import ArtifactComparison, ArtifactSummary, PhotoComparison
from dermport.mobile_stub.csv_report import COLUMNS, to_csv
from dermport.mobile_stub.html_report import Page, thumbnail, to_html
from dermport.mobile_stub.photos import Photo
from dermport.mobile_stub.prediction import Prediction, Refusal
from dermport.mobile_stub.table import to_table
from tests.factories import draw_photo

NAME = "<b>[red]mole</b> & co.jpg"


@pytest.fixture
def manifest(golden_bundle: Bundle) -> Manifest:
    return golden_bundle.manifest


def _said(score: float, label: str) -> Prediction:
    rest = {"akiec": 0.0, "bcc": 0.0, "mel": score, "nv": 1 - score}
    return Prediction(
        label=label,
        probabilities=rest,
        score=score,
        positive=score >= 0.5,
        input_sha256="1" * 64,
        model_sha256="2" * 64,
        artifact_sha256="3" * 64,
        artifact="tflite fp32",
        runtime="LiteRT 2",
        milliseconds=1.5,
    )


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Photo, ...]:
    (tmp_path / "1.jpg").write_bytes(draw_photo(2, seed=1))
    (tmp_path / "2.jpg").write_bytes(draw_photo(3, seed=2))
    (tmp_path / "3.jpg").write_bytes(b"")
    return (Photo(NAME, tmp_path / "1.jpg"), Photo("same.jpg", tmp_path / "2.jpg"), Photo("no.jpg", tmp_path / "3.jpg"))


@pytest.fixture
def comparison(manifest: Manifest, photos: tuple[Photo, ...]) -> ArtifactComparison:
    empty = Refusal(code="empty", message="The photo is empty (0 bytes).")
    rows = (
        judge(photos[0].name, _said(0.75, "mel"), _said(0.25, "nv")),
        judge(photos[1].name, _said(0.1, "nv"), _said(0.1, "nv")),
        judge(photos[2].name, empty, empty),
    )
    return _comparison(manifest, rows)


def _comparison(manifest: Manifest, rows: tuple[PhotoComparison, ...], name: str = "tflite-fp32") -> ArtifactComparison:
    artifact = ArtifactSummary(name=name, sha256="3" * 64, bytes=9_000_000, precision="fp32", runtime="LiteRT 2")
    return comparison_of(manifest, rows, artifact, "http://jetson.test", classes=("int8", "fp32"))


def test_csv_is_a_row_a_photo(comparison: ArtifactComparison) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv([comparison]))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["photo"] for row in rows] == [NAME, "same.jpg", "no.jpg"]
    assert [row["cause"] for row in rows] == ["runtime", "same", "refused"]
    assert (rows[0]["phone_label"], rows[0]["server_label"], rows[0]["change"]) == ("mel", "nv", "0.5")
    assert (rows[0]["phone_probability"], rows[0]["server_probability"]) == ("0.75", "0.75")
    assert (rows[2]["phone_refused"], rows[2]["phone_label"], rows[2]["change"]) == ("empty", "", "")


def test_html_shows_disagreements_first_and_needs_nothing_else(
    comparison: ArtifactComparison, photos: tuple[Photo, ...], manifest: Manifest
) -> None:
    page = to_html(Page((comparison,), manifest, "http://jetson.test", photos))
    assert NAME not in page
    assert "&lt;b&gt;[red]mole&lt;/b&gt; &amp; co.jpg" in page
    assert NOTICE in page
    assert page.index("Where they disagree") < page.rindex("mole") < page.index("Where they agree")
    assert page.index("Where they agree") < page.index("same.jpg") < page.index("no.jpg")
    assert page.count("data:image/jpeg;base64,") == 2
    assert "no picture" in page
    assert not re.search(r"<script|<link|@import|url\(|(src|href)=\"(?!data:)", page)
    assert not re.search(r"/(tmp|root|home)/", page)
    assert page.count('class="photo differs pictured"') == 1
    assert "left: 75.0%" in page


def test_html_without_thumbnails_holds_no_photo(comparison: ArtifactComparison, manifest: Manifest) -> None:
    page = to_html(Page((comparison,), manifest, "http://jetson.test"))
    assert "data:image" not in page
    assert page.count('class="photo differs"') == 1


def test_html_has_every_plot_and_figure(manifest: Manifest) -> None:
    judged = [
        judge(f"{i}.jpg", _said(p, "mel" if p > 0.5 else "nv"), _said(p - 0.03, "mel" if p > 0.53 else "nv"))
        for i, p in enumerate((0.1, 0.2, 0.52, 0.7, 0.9))
    ]
    facts = [{"truth": "mel" if i % 2 else "nv", "round_trip": 20.0 + i} for i in range(len(judged))]
    rows = tuple(row.model_copy(update=fact) for row, fact in zip(judged, facts, strict=True))
    comparisons = tuple(_comparison(manifest, rows, name) for name in ("tflite-fp32", "tflite-int8"))
    page = to_html(Page(comparisons, manifest, "http://jetson.test"))
    for chart in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(chart)
    assert page.count("<svg") == 1 + 2 * 2
    for words in ("Bland–Altman", "Latency on both sides", "phone × Jetson", "McNemar", "tflite-int8, decision"):
        assert words in page
    assert "nan" not in page.lower().split()


def test_html_of_nothing_is_a_page(manifest: Manifest) -> None:
    empty = _comparison(manifest, ()).model_copy(update={"waiting": 7})
    page = to_html(Page((empty,), manifest, "http://jetson.test"))
    assert "still wait for the Jetson" in page
    assert not empty.passed


def test_thumbnail_of_what_is_no_photo_is_empty() -> None:
    assert thumbnail(b"GIF89a") == ""


def test_table_names_the_figures(comparison: ArtifactComparison) -> None:
    console = Console(file=io.StringIO(), width=120, record=True)
    console.print(to_table([comparison]))
    text = console.export_text()
    assert "1 of 2 (95 % interval 9.5 to 90.5 %); 0 no → yes, 1 yes → no on the Jetson" in text
    assert "mel 0.750 yes" in text
    assert "nv 0.750 no" in text
    assert "[red]mole" in text
    assert "Phone: tflite-fp32, LiteRT 2" in text
    assert "policy: pass" in text
    assert "cause: runtime         1  The same file gives other numbers on the phone: " in text
    assert NOTICE in text.replace("\n", " ")


def test_document_reads_back(comparison: ArtifactComparison) -> None:
    assert ArtifactComparison.model_validate_json(comparison.model_dump_json(by_alias=True)) == comparison
    assert comparison.passed


def test_without_a_decision_no_report_says_yes_or_no(manifest: Manifest) -> None:
    labels_only = {"decision": None, "task": manifest.task.model_copy(update={"positive": ()})}
    undecided = {"score": None, "positive": None}
    sides = [_said(p, label).model_copy(update=undecided) for p, label in ((0.75, "mel"), (0.25, "nv"))]
    row = judge("x.jpg", *sides).model_copy(update={"truth": "mel"})
    without = manifest.model_copy(update=labels_only)
    comparison = _comparison(without, (row,))
    console = Console(file=io.StringIO(), width=120, record=True)
    console.print(to_table([comparison]))
    page = to_html(Page((comparison,), without, "http://jetson.test"))
    for text in (console.export_text(), page):
        assert "mel" in text
        for word in ("suspicious", "cannot tell", "decision flips", "same decision", "of the decision"):
            assert word not in text
    assert next(csv.DictReader(io.StringIO(to_csv([comparison]))))["phone_positive"] == ""
